"""Which nights are due, and the runs for them: one for an export and date, whoever asks first.

Due dates follow from the rows in the database. So a scheduler that was down catches up, and two
schedulers, or a clock that jumps, make no run twice.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Q

from exports import windows
from exports.models import Export, ExportRun
from portal import bell, logs
from portal.faults import Fault, Refused
from portal.models import User

log = logs.get(__name__)
_NIGHTLY = Q(runs__kind=ExportRun.Kind.NIGHTLY)


def tenants_due(now: datetime | None = None) -> set[int]:
    """Tenants in scope that have a night without a run. now: for tests, else the database's."""
    moment = now or _database_now()
    started = Export.objects.filter(started_on__isnull=False, tenant__enabled=True)
    with_last = started.annotate(last=Max("runs__local_date", filter=_NIGHTLY))
    return {export.tenant_id for export in with_last if _due(export, moment, export.last)}


def make_due(tenant_id: int, now: datetime | None = None) -> int:
    """Make the runs of all nights that have come. Returns how many were made.

    Must be called in the tenant's scope; commits and notifies the workers for each export.
    """
    moment = now or _database_now()
    started = Export.objects.filter(tenant_id=tenant_id, started_on__isnull=False)
    return sum(_make(pk, moment) for pk in started.values_list("pk", flat=True))


def run_now(export: Export, user: User | None, local_date: date) -> ExportRun:
    """A run that a person asks for: RERUN for the newest date that is over, BACKFILL for others.

    It covers what the date's night covered, or the calendar day, and leaves the nights as they are.
    Raises Refused for a date that is not over in the export's zone, and for an unknown zone.
    """
    start, end = _window_of(export, local_date)
    newest = _database_now().astimezone(windows.zone_of(export.time_zone)).date() - windows.DAY
    if local_date > newest:
        message = "%(date)s is not over in %(zone)s. The newest complete day is %(newest)s."
        params = {"date": local_date, "zone": export.time_zone, "newest": newest}
        raise Refused(Fault(("local_date",), "not_over", message, params))
    kind = ExportRun.Kind.RERUN if local_date == newest else ExportRun.Kind.BACKFILL
    with transaction.atomic():
        run = ExportRun.objects.create(
            tenant_id=export.tenant_id,
            export=export,
            kind=kind,
            user=user,
            local_date=local_date,
            window_start=start,
            window_end=end,
            definition=frozen(export, start),
        )
        bell.ring_on_commit(bell.EXPORT, export.tenant_id)
    return run


def frozen(export: Export, since: datetime) -> dict[str, Any]:
    """The export as it is now. since: nothing that happened earlier belongs to the run."""
    return {
        "name": export.name,
        "source": export.source,
        "columns": export.columns,
        "format": export.format,
        "name_pattern": export.name_pattern,
        "time_zone": export.time_zone,
        "empty": export.empty,
        "compression": export.compression,
        "trigger": export.trigger,
        "keep_days": export.keep_days,
        "version": export.version,
        "since": since.isoformat(),
    }


def _due(export: Export, now: datetime, last: date | None) -> list[date]:
    assert export.started_on is not None  # noqa: S101 - for mypy: asked for in the query
    zone, days = export.time_zone, export.days
    try:
        return windows.due(export.started_on, days, export.at, zone, now, last)
    except Refused as refused:
        log.error("export_zone_unknown", export_id=export.pk, reason=str(refused))
        return []


def _make(pk: int, now: datetime) -> int:
    """The runs of one export, behind its lock: the next one starts where the last one ended."""
    with transaction.atomic():
        export = Export.objects.select_for_update(no_key=True).filter(pk=pk).first()
        if export is None or export.started_on is None:
            return 0
        nights = ExportRun.objects.filter(export=export, kind=ExportRun.Kind.NIGHTLY)
        last = nights.order_by("-local_date").first()
        dates = _due(export, now, last.local_date if last else None)
        if len(dates) >= windows.MOST_MISSED:
            log.warning("export_many_nights_missed", export_id=pk, oldest=str(dates[0]))
        for local_date in dates:
            last = _night(export, local_date, last)
        if dates:
            bell.ring_on_commit(bell.EXPORT, export.tenant_id)
    return len(dates)


def _night(export: Export, local_date: date, last: ExportRun | None) -> ExportRun:
    assert export.started_on is not None  # noqa: S101 - for mypy: asked for by the caller
    begin = windows.day(export.started_on, export.time_zone)[0]
    ended = last.window_end if last else None
    start, end = windows.window(local_date, export.time_zone, export.started_on, ended)
    goes_on = last is not None and last.window_end >= begin
    since = datetime.fromisoformat(last.definition["since"]) if last and goes_on else begin
    return ExportRun.objects.create(
        tenant_id=export.tenant_id,
        export=export,
        kind=ExportRun.Kind.NIGHTLY,
        local_date=local_date,
        window_start=start,
        window_end=end,
        definition=frozen(export, since),
    )


def _window_of(export: Export, local_date: date) -> tuple[datetime, datetime]:
    nights = ExportRun.objects.filter(
        export=export, local_date=local_date, kind=ExportRun.Kind.NIGHTLY
    )
    if night := nights.first():
        return night.window_start, night.window_end
    return windows.day(local_date, export.time_zone)


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        row = cursor.fetchone()
    moment: datetime = row[0]
    return moment
