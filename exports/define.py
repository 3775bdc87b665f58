"""What a person does with exports: make, change, start, stop, run now, fill past dates, delete.

The caller (page or API) checks who may. A change names the version that it was made from: of two
people who save at once, the second is refused, and nothing of the first is lost. The paths of the
faults are names of fields of `Definition`, or of the arguments of the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F

from exports import schedule
from exports.models import Delivery, Destination, Export, ExportRun, Server
from portal import audit, constraints
from portal.changes import Actor, ChangedMeanwhile
from portal.faults import Fault, Refused
from portal.models import Tenant

MOST_DATES = 60  # of one back-fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """All that a person chooses for an export. destinations: (server, path) in order."""

    name: str
    source: dict[str, Any]
    columns: list[dict[str, str]]
    format: str
    name_pattern: str
    at: time
    time_zone: str
    days: list[int]
    empty: str
    compression: str
    trigger: str
    keep_days: int
    destinations: tuple[tuple[Server, str], ...] = ()

    def row(self) -> dict[str, Any]:
        """The values of the export's own columns."""
        names = (field.name for field in fields(self) if field.name != "destinations")
        return {name: getattr(self, name) for name in names}

    def folders(self) -> list[tuple[int, str]]:
        """The destinations as (server's number, path), for comparing."""
        return sorted((server.pk, path) for server, path in self.destinations)


def stored(export: Export) -> Definition:
    """The definition that is stored."""
    folders = export.destinations.select_related("server").order_by("pk")
    names = {field.name for field in fields(Definition)} - {"destinations"}
    return Definition(
        **{name: getattr(export, name) for name in names},
        destinations=tuple((folder.server, folder.path) for folder in folders),
    )


def create(tenant: Tenant, actor: Actor, definition: Definition) -> Export:
    """Make an export, not started yet. Raises Refused where the name is taken."""
    try:
        with transaction.atomic():
            export = Export.objects.create(tenant=tenant, created_by=actor.user, **definition.row())
            _add_destinations(export, definition)
            _audit(export, actor, "export.create", name=export.name)
    except IntegrityError as error:
        raise _taken(error) from error
    return export


def change(export: Export, actor: Actor, definition: Definition, *, based_on: int) -> None:
    """Save a change made from the version `based_on`. Raises ChangedMeanwhile, Refused."""
    try:
        with transaction.atomic():
            unchanged = Export.objects.filter(
                tenant=export.tenant_id, pk=export.pk, version=based_on
            )
            before = stored(export)
            if not unchanged.update(**definition.row(), version=F("version") + 1):
                raise _stale(export, definition)
            Destination.objects.filter(tenant=export.tenant_id, export=export).delete()
            _add_destinations(export, definition)
            changed = ", ".join(differing(before, definition))
            _audit(export, actor, "export.change", changed=changed)
    except IntegrityError as error:
        raise _taken(error) from error


def _stale(export: Export, definition: Definition) -> Refused:
    current = Export.objects.filter(tenant=export.tenant_id, pk=export.pk).first()
    if current is None:
        return _refused(
            "deleted", "Somebody deleted this export in the meantime. Nothing was saved."
        )
    fault = Fault(
        (),
        "changed_meanwhile",
        "Somebody saved this export in the meantime, so your changes were not saved. "
        "Compare them first, then save again.",
    )
    differs = differing(stored(current), definition)
    return ChangedMeanwhile(fault, number=current.version, differs=differs)


def _refused(code: str, message: str, /, *path: str, **params: object) -> Refused:
    return Refused(Fault(path, code, message, params))


def differing(left: Definition, right: Definition) -> list[str]:
    """The names of the fields that differ in the two."""
    other = right.row()
    names = [name for name, value in left.row().items() if value != other[name]]
    return names if left.folders() == right.folders() else [*names, "destinations"]


def _add_destinations(export: Export, definition: Definition) -> None:
    Destination.objects.bulk_create(
        Destination(tenant_id=export.tenant_id, export=export, server=server, path=path)
        for server, path in definition.destinations
    )


def _taken(error: IntegrityError) -> Refused:
    match constraints.violated(error):
        case "one_destination_per_folder":
            message = "The same folder appears twice. Remove one of them."
            return _refused("same_folder", message, "destinations")
        case "one_export_per_name":
            message = "Another export has this name. Choose another one."
            return _refused("name_taken", message, "name")
    raise error


def start(export: Export, actor: Actor, now: datetime) -> None:
    """Let it run every night, beginning with today's. Raises Refused without a destination."""
    # Read again: the caller's row may be from before a change.
    if not Destination.objects.filter(tenant=export.tenant_id, export=export).exists():
        message = "Add a destination first. Without one, there is nowhere to send the file."
        raise _refused("no_destination", message, "destinations")
    zone = Export.objects.values_list("time_zone", flat=True).get(pk=export.pk)
    today = now.astimezone(ZoneInfo(zone)).date()
    with transaction.atomic():
        stopped = Export.objects.filter(pk=export.pk, tenant=export.tenant_id, started_on=None)
        if stopped.update(started_on=today):
            _audit(export, actor, "export.start", first=today.isoformat())


def stop(export: Export, actor: Actor) -> None:
    """Make no further nightly runs. What is under way is finished."""
    with transaction.atomic():
        rows = Export.objects.filter(pk=export.pk, tenant=export.tenant_id)
        if rows.exclude(started_on=None).update(started_on=None):
            _audit(export, actor, "export.stop")


def newest_date(export: Export, now: datetime) -> date:
    """The last local date that is over: what "run now" covers."""
    return now.astimezone(ZoneInfo(export.time_zone)).date() - timedelta(days=1)


def run_now(export: Export, actor: Actor, now: datetime) -> ExportRun:
    """Make a run of the last full day, at once."""
    day = newest_date(export, now)
    with transaction.atomic():
        run = schedule.run_now(export, actor.user, day)
        _audit(export, actor, "export.run", date=day.isoformat())
    return run


def back_fill(
    export: Export, actor: Actor, first: date, last: date, now: datetime
) -> list[ExportRun]:
    """Make a run for each date from first to last. Raises Refused for dates that are not over or
    are too many."""
    _check_range(first, last, newest_date(export, now))
    count = (last - first).days + 1
    with transaction.atomic():
        days = (first + timedelta(days=n) for n in range(count))
        runs = [schedule.run_now(export, actor.user, day) for day in days]
        detail = {"first": first.isoformat(), "last": last.isoformat()}
        _audit(export, actor, "export.backfill", **detail)
    return runs


def _check_range(first: date, last: date, newest: date) -> None:
    count = (last - first).days + 1
    if last > newest:
        message = "The most recent complete day is %(newest)s. Choose that day or an earlier one."
        raise _refused("not_over", message, "last", newest=newest.isoformat())
    if count < 1:
        message = "The first day is after the last day. Swap them."
        raise _refused("reversed", message, "first")
    if count > MOST_DATES:
        raise _refused(
            "too_many_days",
            "You asked for %(count)s days; the maximum is %(most)s at a time. Choose a "
            "later first day, and ask for the rest afterwards.",
            "first",
            count=count,
            most=MOST_DATES,
        )


def delete(export: Export, actor: Actor) -> None:
    """Delete it with its runs and their files. Raises Refused while it runs or is under way."""
    with transaction.atomic():
        row = Export.objects.select_for_update().filter(tenant=export.tenant_id, pk=export.pk)
        if row.exclude(started_on=None).exists():
            raise _refused("started", "Stop the export first, then delete it.")
        runs = ExportRun.objects.filter(tenant=export.tenant_id, export=export)
        sending = Delivery.objects.filter(tenant=export.tenant_id, run__export=export)
        if (
            runs.exclude(state__in=ExportRun.FINAL_STATES).exists()
            or sending.exclude(state__in=Delivery.FINAL_STATES).exists()
        ):
            message = "A file of this export is still on its way. Wait for it or cancel it."
            raise _refused("on_its_way", message)
        files = [name for name in runs.values_list("content", flat=True) if name]
        _audit(export, actor, "export.delete", name=export.name)
        row.delete()
        transaction.on_commit(lambda: _remove(files))


def _remove(files: Sequence[str]) -> None:
    for name in files:
        default_storage.delete(name)


def _audit(export: Export, actor: Actor, action: str, **detail: str) -> None:
    audit.record(
        export.tenant_id, action, str(export.uid),
        user=actor.user, address=actor.address, **{"name": export.name, **detail},
    )  # fmt: skip
