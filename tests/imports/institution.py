"""An institution under test: sends files to its feeds, runs its jobs, and reads its records.

Its rows are committed: COPY goes over a connection of its own, from which a test's transaction
around everything would hide them. The fixture `transactional_db` deletes them.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from imports.jobs import actions, pipeline, queue
from imports.models import ImportJob
from imports.models.sources import source_of
from portal import tenancy
from portal.models import Endpoint, Record, RecordChange, Tenant, User
from portal.records.catalog import catalog

PERSON = "decider@test-college.example"
# A small institution that other files can refer to, in the order of the import.
CAMPUS = {
    "accounts": "PersonIdentifier,FirstName,LastName,Email\n"
    "0001,Ada,Lovelace,ada@example.edu\n"
    "0002,Emmy,Noether,emmy@example.edu\n"
    "0003,Alan,Turing,alan@example.edu\n",
    "org_units": "OrgUnitIdentifier,Name,Acronym,ParentIdentifier,Type\n"
    "U,University,,,Institution\n"
    "SCI,Science,SC,U,School\n",
    "academic_terms": "TermIdentifier,Name,BeginDate,EndDate,ParentIdentifier,Type\n"
    "2026,Year 2026,2026-01-01,2026-12-31,,Annual\n"
    "2026FA,Fall 2026,2026-08-24,2026-12-18,2026,Semester\n",
    "courses": "CourseIdentifier,Subject,Number,Title,Credits,OrgUnitIdentifier,Type,Description,"
    "CIPCode\n"
    "BIO101,BIO,101,Biology I,3.5,SCI,Undergraduate,Cells,26.0101\n"
    "BIO102,BIO,102,Biology II,,sci,Undergraduate,,\n",
    "sections": "SectionIdentifier,TermIdentifier,CourseIdentifier,Number,BeginDate,EndDate,"
    "DeliveryMode,CrossListingIdentifier\n"
    "S1,2026FA,BIO101,01,2026-08-24,2026-12-18,Online,XL-1\n"
    "S2,2026fa,bio102,01,2026-08-24,2026-12-18,FACE2FACE,XL-1\n",
}


class Institution:
    """Its tenant is in scope while the test runs."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def job(self, feed: str, content: str | bytes, **values: Any) -> ImportJob:
        """Create a job that waits, as the collector does."""
        data = content.encode() if isinstance(content, str) else content
        name = default_storage.save(f"tests/{self.tenant.uid}", ContentFile(data))
        definition = catalog().feed(feed)
        values.setdefault("source", source_of(feed, values.get("template_version")))
        return ImportJob.objects.create(
            tenant=self.tenant,
            feed=feed,
            record_type=definition.record_type,
            rank=definition.rank,
            content=name,
            file_size=len(data),
            **{"file_name": definition.file_name, **values},
        )

    def send(self, feed: str, content: str | bytes, **values: Any) -> ImportJob:
        """Import a file; return the job at its end."""
        job = self.job(feed, content, **values)
        self.work()
        job.refresh_from_db()
        return job

    def work(self) -> list[ImportJob]:
        """Run all jobs that are ready, in their order."""
        done = []
        while job := queue.next_job(self.tenant.pk):
            pipeline.run(job)
            done.append(job)
        return done

    def person(self) -> User:
        """Return the person who decides about jobs."""
        return User.objects.get_or_create(email=PERSON)[0]

    def release(self, job: ImportJob, **values: Any) -> ImportJob:
        """Release a held job; return it at its end."""
        actions.release(job, self.person(), **values)
        self.work()
        job.refresh_from_db()
        return job

    def undo(self, job: ImportJob) -> ImportJob:
        """Undo a job; return the undo at its end."""
        undo = actions.undo(job, self.person())
        self.work()
        undo.refresh_from_db()
        return undo

    def load_campus(self, *feeds: str) -> None:
        """Import the small institution's files, or those of some feeds."""
        for feed in feeds or CAMPUS:
            job = self.send(feed, CAMPUS[feed])
            assert job.state == "complete", (job.reason, issues(job))

    def records(self, record_type: str, *, active: bool = True) -> dict[str, dict[str, Any]]:
        """The documents by key."""
        rows = Record.objects.filter(kind__name=record_type, active=active)
        return dict(rows.values_list("key", "data"))

    def writes(self) -> tuple[set[tuple[Any, ...]], int]:
        """Return what changes with every row version that is written to the store."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, xmin::text, ctid::text FROM portal_record")
            return set(cursor.fetchall()), RecordChange.objects.count()


def counts(job: ImportJob) -> dict[str, int]:
    """The job's numbers of rows that are not zero."""
    names = ("read", "created", "updated", "unchanged", "removed", "rejected")
    counts = {name: getattr(job, f"rows_{name}") for name in names}
    return {name: number for name, number in counts.items() if number}


def issues(job: ImportJob) -> dict[tuple[str, str], int]:
    """How many issues there are, by code and column."""
    numbers: Counter[tuple[str, str]] = Counter()
    for group in job.issue_groups.all():
        numbers[group.code, group.column] += group.count
    return dict(numbers)


def attached(job: ImportJob) -> bytes:
    """The bytes of the error attachment."""
    with default_storage.open(job.attachment) as file:
        return bytes(file.read())


def rejected(job: ImportJob, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of the error attachment."""
    text = attached(job).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def states(job: ImportJob) -> list[str]:
    """The job's timeline."""
    return list(job.events.order_by("pk").values_list("state", flat=True))


@contextmanager
def committed() -> Iterator[Institution]:
    """Create an institution, in scope; remove its folders afterwards."""
    tenant = Tenant.objects.create(name="Test College", slug="test-college")
    try:
        with tenancy.scope(tenant.pk):
            yield Institution(tenant)
    finally:
        connection.close()  # whatever state the test has left it in
        with tenancy.everyone("the test is over"):
            for uid in Endpoint.objects.filter(tenant=tenant).values_list("uid", flat=True):
                shutil.rmtree(settings.DROPS_DIR / str(uid), ignore_errors=True)
