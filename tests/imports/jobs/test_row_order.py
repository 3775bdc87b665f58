"""Rows of one key that say different things: the last one counts, and the others are named."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.models import Record
from tests.imports.institution import Institution, counts, issues
from tests.sizes import examples

HEADER = "AdvisorID,ExternalID,Action\n"
PAIRS = ("0001,0002", "0001,0003", "0002,0003")
ROW = st.tuples(st.sampled_from(PAIRS), st.sampled_from(["connect", "disconnect"]))
ROWS = st.lists(ROW, min_size=1, max_size=8)


def connections(*rows: tuple[str, str]) -> str:
    return HEADER + "".join(f"{pair},{action}\n" for pair, action in rows)


def connected(institution: Institution) -> set[str]:
    return {key.replace("\x1f", ",") for key in institution.records("beacon_connections")}


@pytest.fixture
def campus(institution: Institution) -> Institution:
    institution.load_campus("accounts")
    return institution


@pytest.mark.parametrize("stored", [False, True], ids=["new", "stored"])
@pytest.mark.parametrize("last", ["connect", "disconnect"])
def test_the_last_row_of_a_pair_counts(campus: Institution, last: str, stored: bool) -> None:
    pair = PAIRS[0]
    if stored:
        campus.send("beacon_connections", connections((pair, "connect")))
    first = "connect" if last == "disconnect" else "disconnect"
    job = campus.send("beacon_connections", connections((pair, first), (pair, last)))
    assert job.state == "complete", (job.reason, issues(job))
    assert connected(campus) == ({pair} if last == "connect" else set())
    (group,) = job.issue_groups.all()
    assert (group.code, group.severity, group.count) == ("superseded", "warning", 1)
    assert group.message.startswith("Line 3 says something else")
    assert group.examples[0][0] == 2


def test_rows_that_say_the_same_are_repetitions(campus: Institution) -> None:
    twice = [(PAIRS[0], "connect")] * 2
    job = campus.send("beacon_connections", connections(*twice))
    assert (counts(job), issues(job)) == (
        {"read": 2, "created": 1, "rejected": 1}, {("duplicate_key", "AdvisorID"): 1},
    )  # fmt: skip


def test_values_of_an_overruled_row_are_not_taken(institution: Institution) -> None:
    header = "Action,Username,FirstName,LastName,CampusEmail\n"
    row = "{},u1,{},B,u1@b.org\n"
    institution.send("engage_users", header + row.format("update", "Ada"))
    rows = [("update", "Augusta"), ("delete", "Ada"), ("update", "Emmy")]
    job = institution.send("engage_users", header + "".join(row.format(*each) for each in rows))
    assert (job.state, counts(job)) == ("complete", {"read": 3, "updated": 1, "unchanged": 2})
    assert institution.records("engage_users")["u1"]["FirstName"] == "Emmy"


@settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(before=st.sets(st.sampled_from(PAIRS)), rows=ROWS)
def test_whatever_the_rows_the_last_one_of_each_pair_decides(
    campus: Institution, before: set[str], rows: list[tuple[str, str]]
) -> None:
    """Also where some of them are stored as they are, and are skipped before they are compared."""
    Record.objects.filter(kind__name="beacon_connections").delete()
    if before:
        campus.send("beacon_connections", connections(*((pair, "connect") for pair in before)))
    job = campus.send("beacon_connections", connections(*rows))
    assert job.fault != "portal", job.reason
    last = dict(rows)
    untouched = before - last.keys()
    assert connected(campus) == untouched | {p for p, action in last.items() if action == "connect"}
    numbers = (job.rows_created, job.rows_updated, job.rows_unchanged, job.rows_removed)
    assert sum(numbers) + job.rows_rejected == len(rows)
