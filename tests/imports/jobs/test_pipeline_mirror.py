"""A mirror removes what its file does not name, and only where the file can be trusted for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imports.jobs import instructions
from portal.records.catalog import Catalog, catalog
from portal.records.definitions import Operation
from tests.imports.institution import Institution, counts

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
ROWS = [f"{n},Ada,Byron,p{n}@b.org\n" for n in range(4)]


@pytest.fixture
def mirror(institution: Institution, monkeypatch: pytest.MonkeyPatch) -> Institution:
    """An institution whose accounts are a mirror of their file; four of them are loaded."""
    packs = [
        replace(
            pack,
            feeds=tuple(
                replace(feed, operation=Operation.MIRROR) if feed.name == "accounts" else feed
                for feed in pack.feeds
            ),
        )
        for pack in catalog().packs
    ]
    changed = Catalog(packs)
    monkeypatch.setattr(instructions, "catalog", lambda: changed)
    job = institution.send("accounts", HEADER + "".join(ROWS))
    assert counts(job) == {"read": 4, "created": 4}
    return institution


def test_what_the_file_does_not_name_is_removed(mirror: Institution) -> None:
    job = mirror.send("accounts", HEADER + "".join(ROWS[:3]))
    assert (job.state, counts(job)) == ("complete", {"read": 3, "unchanged": 3, "removed": 1})
    assert set(mirror.records("accounts")) == {"0", "1", "2"}
    before = mirror.writes()
    mirror.send("accounts", HEADER + "".join(ROWS[:3]))
    assert mirror.writes() == before
