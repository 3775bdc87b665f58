"""Start-up checks: each refuses one unsafe configuration, by a stable id and with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.checks import CheckMessage
from django.core.checks.registry import registry
from django.db import connection
from django.db.utils import ProgrammingError

from portal import checks

GOOD_KEY = "k1:" + "A" * 43 + "="


def ids(messages: list[CheckMessage]) -> list[str]:
    assert all(message.hint for message in messages)
    return [str(message.id) for message in messages]


@pytest.fixture(autouse=True)
def safe(settings: LazySettings) -> LazySettings:
    settings.DEBUG = False
    settings.HTTPS = False
    settings.BEHIND_PROXY = False
    settings.ALLOWED_HOSTS = ["localhost"]
    return settings


def test_all_checks_pass_a_safe_configuration(safe: LazySettings) -> None:
    assert [message for check in checks.ALL for message in check()] == []


def test_all_checks_are_registered() -> None:
    assert set(checks.ALL) <= set(registry.get_checks())


@pytest.mark.parametrize("key", ["", "short", "change-me" * 10, "django-insecure-" + "x" * 50])
def test_e001_a_weak_signing_key(safe: LazySettings, key: str) -> None:
    safe.SECRET_KEY = key
    assert ids(checks.secret_key()) == ["causeway.E001"]


@pytest.mark.parametrize("ring", ["", "k1:AAAA", "nothing"])
def test_e002_a_ring_without_a_whole_key(safe: LazySettings, ring: str) -> None:
    safe.VAULT_KEYS = ring
    assert ids(checks.vault_keys()) == ["causeway.E002"]
    safe.VAULT_KEYS = GOOD_KEY
    assert checks.vault_keys() == []


def test_e003_debug(safe: LazySettings) -> None:
    safe.DEBUG = True
    assert ids(checks.debug()) == ["causeway.E003"]


@pytest.mark.parametrize(("lease", "heartbeat"), [(30, 15), (60, 60), (60, 0), (60, -1)])
def test_e004_a_lease_that_one_missed_beat_ends(
    safe: LazySettings, lease: int, heartbeat: int
) -> None:
    safe.LEASE_SECONDS, safe.HEARTBEAT_SECONDS = lease, heartbeat
    assert ids(checks.lease()) == ["causeway.E004"]


@pytest.mark.parametrize("name", ["DROPS_DIR", "SPOOL_DIR", "MEDIA_ROOT"])
def test_e005_a_directory_that_anyone_may_write(
    safe: LazySettings, tmp_path: Path, name: str
) -> None:
    setattr(safe, name, tmp_path)
    tmp_path.chmod(0o777)
    assert ids(checks.directories()) == ["causeway.E005"]
    tmp_path.chmod(0o700)
    assert checks.directories() == []


def test_w001_pages_for_others_without_https(safe: LazySettings) -> None:
    safe.ALLOWED_HOSTS = ["portal.example.org"]
    assert ids(checks.plain_http()) == ["causeway.W001"]
    safe.HTTPS = True
    assert checks.plain_http() == []


def test_w002_https_that_would_redirect_forever(safe: LazySettings) -> None:
    safe.HTTPS = True
    assert ids(checks.proxy()) == ["causeway.W002"]
    safe.BEHIND_PROXY = True
    assert checks.proxy() == []


@pytest.mark.django_db
def test_the_database_of_a_test_run_passes() -> None:
    assert checks.database(databases=["default"]) == []


def test_the_database_is_left_alone_unless_asked_for() -> None:
    assert checks.database() == []
    assert checks.database(databases=[]) == []


@pytest.mark.django_db
def test_e010_a_database_that_refuses() -> None:
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("SELECT nothing")
    assert ids(checks.database(databases=["default"])) == ["causeway.E010"]


@pytest.mark.django_db
def test_e011_a_role_that_no_policy_binds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
    assert ids(checks.database(databases=["default"])) == ["causeway.E011"]


@pytest.mark.django_db
def test_e012_a_tenant_table_without_its_policy() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        cursor.execute("ALTER TABLE portal_drop NO FORCE ROW LEVEL SECURITY")
        cursor.execute("DROP POLICY tenant_scope ON portal_upload")
        cursor.execute("SET LOCAL ROLE causeway_app")
    (message,) = checks.database(databases=["default"])
    assert message.id == "causeway.E012"
    assert "portal_drop, portal_upload." in message.msg
