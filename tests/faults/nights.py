"""Nightly exports for the fault tests: institutions with events, and what their files must hold."""

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.core.files.storage import default_storage
from django.db import connection

from exports.models import Destination, Export, ExportRun, Server
from portal.models import Tenant
from tests.faults.harness import RESUME_SECONDS, eventually

_numbers = itertools.count(1)


@dataclass
class Night:
    """An institution with one export of everything that happened since `first`."""

    tenant: Tenant
    export: Export
    first: date
    sent: set[str] = field(default_factory=set)

    def events(self, count: int, day: int = 0) -> None:
        """So many events at noon of a day, with a payload that is not short."""
        at = datetime.combine(self.first + timedelta(days=day), time(12), UTC)
        mark = next(_numbers)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO portal_event (tenant_id, uid, type, at, subject, payload, source) "
                "SELECT %s, %s || n, 'happened', %s, '', "
                "jsonb_build_object('n', n, 'text', repeat('long ', 60)), 'api' "
                "FROM generate_series(1, %s) AS n",
                [self.tenant.pk, f"{mark}-", at, count],
            )
        self.sent |= {f"{mark}-{n}" for n in range(1, count + 1)}

    def start(self) -> None:
        """From now on its nights are due."""
        Export.objects.filter(pk=self.export.pk).update(started_on=self.first)

    def runs(self) -> list[ExportRun]:
        return list(ExportRun.objects.filter(export=self.export).order_by("local_date"))

    def ended(self, nights: int, seconds: float = RESUME_SECONDS) -> list[ExportRun]:
        """All runs of so many nights, when every one of them is at its end."""
        final = ExportRun.objects.filter(
            export=self.export, state__in=(ExportRun.State.WRITTEN, ExportRun.State.EMPTY)
        )
        eventually(lambda: final.count() >= nights, f"{nights} nights are written", seconds)
        return self.runs()


def new(nights: int) -> Night:
    """An institution whose export is not started; as many nights have come when it is."""
    name = f"night-{next(_numbers)}"
    tenant = Tenant.objects.create(name=name, slug=name)
    server = Server.objects.create(tenant=tenant, name="Partner", host="x.example", username="u")
    export = Export.objects.create(
        tenant=tenant, name=name, source={"events": ["happened"]}, format="json", time_zone="UTC",
        name_pattern="{event}_{date}", at=time(0), empty=Export.Empty.SKIP,
    )  # fmt: skip
    Destination.objects.create(tenant=tenant, export=export, server=server, path="in")
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        (today,) = cursor.fetchone()
    return Night(tenant, export, today - timedelta(days=nights))


def hold(night: Night, nights: int) -> None:
    """Each night once, each event in exactly one file, each file whole, with one delivery."""
    runs = night.ended(nights)
    dates = [run.local_date for run in runs]
    assert dates == [night.first + timedelta(days=n) for n in range(nights)]
    events: Counter[str] = Counter()
    for run in runs:
        assert run.deliveries.count() == (1 if run.content else 0)
        if run.content:
            with default_storage.open(run.content) as file:
                data = file.read()
            assert len(data) == run.size
            events.update(row["id"] for row in json.loads(data))
    assert set(events) == night.sent and set(events.values()) <= {1}
    _, stored = default_storage.listdir(f"exports/{night.tenant.pk}/{runs[0].uid}")
    assert len(stored) == 1, stored
