"""Advisory locks: one at a time, for one tenant, and none stands for two things."""

import re
import threading
from pathlib import Path

import pytest
from django.db import connection, transaction

from portal import locks
from portal.locks import Lock

pytestmark = pytest.mark.usefixtures("transactional_db")
ROOT = Path(__file__).resolve().parents[2]


def elsewhere(question):
    """The answer of another session of the database."""
    answers = []

    def ask():
        try:
            answers.append(question())
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(10)
    return answers[0]


def is_free(lock, tenant_id):
    with locks.if_free(lock, tenant_id) as taken:
        return taken


def test_a_lock_that_is_held_is_free_for_other_tenants_and_other_things_only():
    with locks.if_free(Lock.COLLECT, 1) as taken:
        assert taken
        assert not elsewhere(lambda: is_free(Lock.COLLECT, 1))
        assert elsewhere(lambda: is_free(Lock.COLLECT, 2))
        others = [lock for lock in Lock if lock is not Lock.COLLECT]
        assert elsewhere(lambda: all(is_free(lock, 1) for lock in others))
    assert elsewhere(lambda: is_free(Lock.COLLECT, 1))


def test_waiting_for_a_lock_ends_in_time():
    with locks.if_free(Lock.FETCH, 1):
        assert not elsewhere(lambda: locks.take(Lock.FETCH, 1, milliseconds=50))


def test_a_lock_until_commit_is_free_after_it():
    with transaction.atomic():
        locks.hold_until_commit(Lock.CLAIM_JOB, 1)
        assert not elsewhere(lambda: is_free(Lock.CLAIM_JOB, 1))
    assert elsewhere(lambda: is_free(Lock.CLAIM_JOB, 1))


def test_no_other_module_takes_an_advisory_lock_by_number():
    """Two modules that choose their own numbers collide one day, and then wait for each other."""
    packages = [ROOT / name for name in ("portal", "imports", "exports")]
    users = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in package.rglob("*.py")
        if re.search(r"pg_(try_)?advisory", path.read_text("utf-8"))
    }
    assert users == {"portal/locks.py"}
