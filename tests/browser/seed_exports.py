"""Exports, runs, deliveries and attempts of every kind for looking at the pages."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from exports import windows
from exports.models import Attempt, Delivery, Destination, Export, ExportRun, Server
from portal import tenancy
from portal.models import Event
from tests.browser.seed import HOSTILE
from tests.cast import Cast

KEY = "SHA256:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"
LONG = "Completed courses of every campus and every term for the state's reporting office " * 2
ZONE = "America/Chicago"
Run, Sent = ExportRun.State, Delivery.State


def everything(cast: Cast, runs: int = 1000) -> dict[str, Any]:
    """Fill the cast's home. Returns rows by the name of what they show."""
    with tenancy.everyone("a test seeds its export pages"):
        _events(cast)
        server = _server(cast, "District SIS", "sftp.district.example", host_key=KEY)
        other = _server(cast, f"Office {HOSTILE}", "files.a-very-long-name-of-a-partner.example")
        export = _export(cast, "Completed courses", server, other)
        long = _export(cast, LONG.strip(), server, events=[])
        stopped = _export(cast, f"Roster {HOSTILE}", started=False)
        rows = {"server": server, "other": other, "export": export, "stopped": stopped}
        nights = _nights(cast, export, server)
        rows |= {"run": nights["sent"], **nights}
        rows["delivery"] = rows["given_up"].deliveries.get()
        _many(cast, long, runs)
        rows["long"] = long
    return rows


def _events(cast: Cast) -> None:
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            tenant=cast.home,
            uid=f"event-{n}",
            type="courseCompletion",
            at=now - timedelta(hours=n),
            subject=f"learner{n}@harbor.example",
            payload={
                "source": "course_completed",
                "user": f"learner{n}@harbor.example",
                "title": HOSTILE if n == 3 else "Welcome to Harbor State",
                "userDetail": {"firstName": "Ada", "lastName": f"Lovelace {n}", "ref1": None},
            },
            source=Event.Source.API,
        )
        for n in range(12)
    )


def _server(cast: Cast, name: str, host: str, **more: Any) -> Server:
    kind = {"host_key_type": "ssh-ed25519"} if more else {}
    return Server.objects.create(
        tenant=cast.home, name=name[:200], host=host, username="causeway", password="sealed",
        **kind, **more,
    )  # fmt: skip


def _export(
    cast: Cast,
    name: str,
    *servers: Server,
    started: bool = True,
    events: list[str] | None = None,
) -> Export:
    export = Export.objects.create(
        tenant=cast.home,
        name=name[:200],
        source={"events": ["courseCompletion"] if events is None else events},
        name_pattern="{event}-{id}_{time}-{random}",
        at=time(2),
        time_zone=ZONE,
        days=list(range(1, 8)),
        started_on=_today() - timedelta(days=70) if started else None,
        created_by=cast.admin,
    )
    for server in servers:
        Destination.objects.create(
            tenant=cast.home, export=export, server=server, path="/inbox/courses"
        )
    return export


def _today() -> date:
    return timezone.now().astimezone(windows.zone_of(ZONE)).date()


def make_run(cast: Cast, export: Export, day: date, state: str, **more: Any) -> ExportRun:
    """A run of the date; written ones have a file."""
    start, end = windows.day(day, export.time_zone)
    values: dict[str, Any] = {"kind": ExportRun.Kind.NIGHTLY, **more}
    if state == Run.WRITTEN:
        name = f"courseCompletion-1589259213_{day.isoformat()}T02-00-13-7vcph2i.csv"
        text = b"id,title\r\n1,Welcome\r\n"
        values |= {"file_name": name, "rows": 1204, "size": len(text), "late_rows": 3,
                   "sha256": hashlib.sha256(text).hexdigest(), "started_at": end,
                   "finished_at": end + timedelta(seconds=2)}  # fmt: skip
    run = ExportRun.objects.create(
        tenant=cast.home, export=export, local_date=day, window_start=start, window_end=end,
        state=state, definition={"time_zone": export.time_zone}, **values,
    )  # fmt: skip
    ExportRun.objects.filter(pk=run.pk).update(created_at=end + timedelta(hours=2))
    run.refresh_from_db()
    return run


def make_delivery(cast: Cast, run: ExportRun, server: Server, state: str, **more: Any) -> Delivery:
    """A delivery of the run."""
    return Delivery.objects.create(
        tenant=cast.home, run=run, server=server, path="/inbox/courses", state=state, **more
    )


def _nights(cast: Cast, export: Export, server: Server) -> dict[str, ExportRun]:
    """A run for each of the last sixty nights; the returned ones by what became of them."""
    rows, today = {}, _today()
    special = {1: "given_up", 2: "retrying", 4: "empty", 5: "failed", 9: "cancelled", 12: "refused"}
    for ago in range(1, 58):
        day, kind = today - timedelta(days=ago), special.get(ago, "sent")
        if kind in ("empty", "failed"):
            why = "The disk of the portal is full." if kind == "failed" else ""
            rows[kind] = make_run(cast, export, day, kind, reason=why)
            continue
        run = rows[kind] = make_run(cast, export, day, Run.WRITTEN)
        _deliver(cast, run, server, kind)
    kept = default_storage.save("exports/kept.csv", ContentFile(b"id,title\r\n1,Welcome\r\n"))
    for run in rows.values():
        if run.file_name:
            run.content, run.kept_until = kept, timezone.now() + timedelta(days=30)
            run.save(update_fields=["content", "kept_until"])
    rows["running"] = make_run(
        cast, export, today - timedelta(days=1), Run.RUNNING, kind=ExportRun.Kind.RERUN,
        user=cast.manager,
    )  # fmt: skip
    return rows


def _deliver(cast: Cast, run: ExportRun, server: Server, kind: str) -> None:
    now = timezone.now()
    words = "The server “SFTP 9.9” does not answer: Connection timed out. It is tried again."
    if kind == "sent":
        delivery = make_delivery(cast, run, server, Sent.DELIVERED, attempts=1, delivered_at=now)
        _attempts(cast, delivery, 1, run.window_end, "delivered")
    elif kind == "retrying":
        due = now + timedelta(minutes=9, seconds=30)
        waiting = {"attempts": 4, "ready_at": due, "reason": words}
        delivery = make_delivery(cast, run, server, Sent.RETRYING, **waiting)
        _attempts(cast, delivery, 4, now - timedelta(hours=1), "failed")
    elif kind == "cancelled":
        make_delivery(cast, run, server, Sent.CANCELLED, reason="Cancelled by manager.")
    else:
        state = Sent.GIVEN_UP if kind == "given_up" else Sent.REFUSED
        delivery = make_delivery(
            cast, run, server, state, attempts=11, incident_at=now,
            reason="Eleven attempts failed. " + words,
        )  # fmt: skip
        _attempts(cast, delivery, 11, now - timedelta(hours=4), "failed")


def _attempts(cast: Cast, delivery: Delivery, many: int, begun: datetime, outcome: str) -> None:
    steps = Attempt.Step
    for number in range(1, many + 1):
        at = begun + timedelta(minutes=18 * number)
        Attempt.objects.create(
            tenant=cast.home,
            delivery=delivery,
            number=number,
            started_at=at,
            ended_at=at + timedelta(seconds=31),
            bytes=0 if outcome == "failed" else 1_204_331,
            step=steps.DONE if outcome == "delivered" else steps.CONNECT,
            outcome=outcome,
            words="" if outcome == "delivered" else f"The server said: {HOSTILE} Go away. " * 2,
        )


def _many(cast: Cast, export: Export, runs: int) -> None:
    """Runs by the hundred; one a date can be nightly, the others were asked for."""
    today = _today()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    runs = ExportRun.objects.bulk_create(
        ExportRun(
            tenant=cast.home,
            export=export,
            kind=ExportRun.Kind.NIGHTLY,
            local_date=today - timedelta(days=n + 1),
            window_start=start,
            window_end=start,
            state=Run.WRITTEN,
            file_name=f"{'long-' * 30}{n}.csv",
            rows=n * 1000,
            size=n * 71_234,
        )
        for n in range(runs)
    )
    server = export.destinations.get().server
    Delivery.objects.bulk_create(
        Delivery(tenant=cast.home, run=run, server=server, path="/in", state=Sent.DELIVERED,
                 attempts=1, delivered_at=timezone.now())
        for run in runs
    )  # fmt: skip
