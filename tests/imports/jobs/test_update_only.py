"""Only update: a row changes a record that is there, and makes or revives none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.imports.institution import CAMPUS, Institution, counts, issues

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
UPDATE: dict[str, Any] = {"operation": "update_only"}
UNKNOWN = {("unknown_key", "PersonIdentifier"): 1}


@pytest.fixture
def people(institution: Institution) -> Institution:
    institution.load_campus("accounts")
    return institution


def test_a_known_person_is_updated_and_an_unknown_one_rejected(people: Institution) -> None:
    rows = "0001,Augusta,Lovelace,ada@example.edu\n0009,No,Body,no@example.edu\n"
    job = people.send("accounts", HEADER + rows, **UPDATE)
    assert (job.state, counts(job)) == ("incomplete", {"read": 2, "updated": 1, "rejected": 1})
    assert issues(job) == UNKNOWN
    records = people.records("accounts")
    assert set(records) == {"0001", "0002", "0003"}
    assert records["0001"]["FirstName"] == "Augusta"


def test_a_removed_person_stays_removed(people: Institution) -> None:
    without = "".join(CAMPUS["accounts"].splitlines(keepends=True)[:-1])
    people.send("accounts", without, operation="mirror", limits={"removes": "100%"})
    job = people.send("accounts", HEADER + "0003,Alan,Turing,new@example.edu\n", **UPDATE)
    assert (job.state, issues(job)) == ("failed", UNKNOWN)
    assert set(people.records("accounts", active=False)) == {"0003"}
