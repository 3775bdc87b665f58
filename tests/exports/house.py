"""An institution under test: has events and records, and exports them night by night."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from exports import pipeline, queue, schedule
from exports.models import Delivery, Destination, Export, ExportRun, Server
from portal import tenancy
from portal.models import Event, Record, RecordKind, Tenant

ZONE = "America/New_York"
MONDAY = date(2026, 3, 2)
_numbers = itertools.count(1)


def noon(local_date: date, hours: float = 0) -> datetime:
    """Noon of a day in UTC, which is the same day in the tests' zones."""
    return datetime.combine(local_date, time(12), UTC) + timedelta(hours=hours)


def after(local_date: date) -> datetime:
    """A moment by which the night of the date has come."""
    return noon(local_date + timedelta(days=1))


class House:
    """Its tenant is in scope while the test runs."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def export(self, **values: Any) -> Export:
        """A started export of all events as JSON lines."""
        given = {
            "name": f"Nightly {next(_numbers)}",
            "source": {"events": []},
            "format": Export.Format.JSON_LINES,
            "name_pattern": "{event}-{id}_{time}-{random}",
            "at": time(2),
            "time_zone": ZONE,
            "started_on": MONDAY,
        }
        return Export.objects.create(tenant=self.tenant, **{**given, **values})

    def destination(self, export: Export, path: str = "in") -> Destination:
        """A folder of a server that nobody connects to."""
        server, _ = Server.objects.get_or_create(
            tenant=self.tenant, name="Partner", defaults={"host": "sftp.example", "username": "u"}
        )
        return Destination.objects.create(
            tenant=self.tenant, export=export, server=server, path=path
        )

    def event(self, at: datetime, uid: str = "", **values: Any) -> Event:
        """An event that is committed at once."""
        return Event.objects.create(**self._event(at, uid, **values))

    def events(self, at: datetime, uids: Sequence[str]) -> None:
        """Many of them, in one transaction."""
        Event.objects.bulk_create(Event(**self._event(at, uid)) for uid in uids)

    def _event(self, at: datetime, uid: str, **values: Any) -> dict[str, Any]:
        given = {
            "tenant": self.tenant,
            "uid": uid or f"e{next(_numbers)}",
            "type": "courseCompletion",
            "at": at,
            "payload": {},
            "source": Event.Source.API,
        }
        return {**given, **values}

    def finished(self, at: datetime, number: int, record_type: str = "accounts") -> None:
        """The portal's event of an import."""
        self.event(
            at,
            type="importFinished",
            source=Event.Source.PORTAL,
            payload={"job": f"job-{number}", "number": number, "recordType": record_type},
        )

    def record(self, key: str, data: dict[str, Any], job: int, **values: Any) -> Record:
        """A stored record of the type `accounts`."""
        return Record.objects.create(
            tenant=self.tenant,
            kind=RecordKind.objects.get(name="accounts"),
            key=key,
            data=data,
            **{"created_job": job, "changed_job": job, **values},
        )

    def night(self, export: Export, local_date: date) -> ExportRun:
        """What the night of a date makes, written; there must be one."""
        schedule.make_due(self.tenant.pk, after(local_date))
        self.write()
        return ExportRun.objects.get(export=export, local_date=local_date, kind="nightly")

    def write(self) -> list[str]:
        """Write all runs that are ready, in their order."""
        sentences = []
        while queue.ready().filter(tenant=self.tenant).exists():
            sentences.append(pipeline.write_next(self.tenant.pk))
        return sentences

    def deliveries(self, run: ExportRun) -> list[Delivery]:
        return list(Delivery.objects.filter(run=run).order_by("pk"))

    @contextmanager
    def elsewhere(self) -> Iterator[BaseDatabaseWrapper]:
        """A connection beside the test's, in the tenant's scope; open work is rolled back."""
        other = connections.create_connection("default")
        try:
            other.ensure_connection()
            other.set_autocommit(False)
            yield other
        finally:
            other.close()

    def insert(self, other: BaseDatabaseWrapper, at: datetime, uid: str) -> None:
        """An event of a transaction that is not committed yet."""
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO portal_event (tenant_id, uid, type, at, subject, payload, source) "
                "VALUES (%s, %s, 'courseCompletion', %s, '', '{}', 'api')",
                [self.tenant.pk, uid, at],
            )


def content(run: ExportRun) -> bytes:
    """The file's bytes."""
    with default_storage.open(run.content) as file:
        return bytes(file.read())


def unpacked(run: ExportRun) -> bytes:
    """What the file holds under its packing."""
    data = content(run)
    compression = run.definition["compression"]
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    return data


def rows(run: ExportRun) -> list[Any]:
    """The rows of the file: objects, or lists of cells with the header first."""
    if not run.content:
        return []
    text = unpacked(run).decode()
    if run.definition["format"] == "csv":
        return list(csv.reader(io.StringIO(text, newline="")))
    if run.definition["format"] == "json":
        return list(json.loads(text))
    return [json.loads(line) for line in text.split("\n")[:-1]]


def ids(*runs: ExportRun) -> list[str]:
    """Ids of the events that the files hold, in their order."""
    return [row["id"] for run in runs for row in rows(run)]


@contextmanager
def committed() -> Iterator[House]:
    """An institution in scope. Its rows are the fixture `transactional_db`'s to delete."""
    tenant = Tenant.objects.create(name="Test College", slug="export-college")
    with tenancy.scope(tenant.pk):
        yield House(tenant)
