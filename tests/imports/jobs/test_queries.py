"""What pages ask about jobs."""

from __future__ import annotations

from imports.jobs import queries
from tests.imports.institution import CAMPUS, Institution


def test_only_the_jobs_that_are_asked_for_are_named(institution: Institution) -> None:
    first, second = (institution.job("accounts", CAMPUS["accounts"]) for _ in range(2))
    assert queries.job_uids(institution.tenant, [second.pk, None]) == {second.pk: second.uid}
    assert queries.job_uids(institution.tenant, [None]) == {}
    assert set(queries.job_uids(institution.tenant, [first.pk, second.pk])) == {
        first.pk,
        second.pk,
    }
