"""What a person does with exports: make, change, start, stop, run now, fill past dates, delete.

Who may is checked by the caller (page or API). A change names the version it was made from: of two
people who save at once, the second is told, and nothing of the first is lost.
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
from portal import audit
from portal.models import Tenant, User

MOST_DATES = 60  # of one back-fill


class Refused(Exception):
    """What was asked cannot be done. field: of the form it is told beside; empty for the whole."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class ChangedMeanwhile(Refused):
    """Somebody else has saved since. differs: the names of what is not as it was sent."""

    def __init__(self, current: Export, differs: Sequence[str]) -> None:
        super().__init__(
            "Somebody saved this export in the meantime, so your changes were not saved. "
            "Compare them first, then save again."
        )
        self.current, self.differs = current, tuple(differs)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    user: User
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """All that a person says about an export. destinations: (server, path) in order."""

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

    def places(self) -> list[tuple[int, str]]:
        """The destinations as (server's number, path), for comparing."""
        return sorted((server.pk, path) for server, path in self.destinations)


def as_it_stands(export: Export) -> Definition:
    """The definition that is saved."""
    places = export.destinations.select_related("server").order_by("pk")
    names = {field.name for field in fields(Definition)} - {"destinations"}
    return Definition(
        **{name: getattr(export, name) for name in names},
        destinations=tuple((place.server, place.path) for place in places),
    )


def create(tenant: Tenant, actor: Actor, made: Definition) -> Export:
    """A new export, not started yet. Raises Refused where the name is taken."""
    try:
        with transaction.atomic():
            export = Export.objects.create(tenant=tenant, created_by=actor.user, **made.row())
            _place(export, made)
            _audit(export, actor, "export.create", name=export.name)
    except IntegrityError as fault:
        raise _taken(fault) from fault
    return export


def change(export: Export, actor: Actor, made: Definition, *, based_on: int) -> None:
    """Save a change made from the version `based_on`. Raises ChangedMeanwhile, Refused."""
    try:
        with transaction.atomic():
            mine = Export.objects.filter(tenant=export.tenant_id, pk=export.pk, version=based_on)
            before = as_it_stands(export)
            if not mine.update(**made.row(), version=F("version") + 1):
                raise _stale(export, made)
            Destination.objects.filter(tenant=export.tenant_id, export=export).delete()
            _place(export, made)
            _audit(export, actor, "export.change", changed=", ".join(differing(before, made)))
    except IntegrityError as fault:
        raise _taken(fault) from fault


def _stale(export: Export, made: Definition) -> Refused:
    current = Export.objects.filter(tenant=export.tenant_id, pk=export.pk).first()
    if current is None:
        return Refused("Somebody deleted this export in the meantime. Nothing was saved.")
    return ChangedMeanwhile(current, differing(as_it_stands(current), made))


def differing(one: Definition, other: Definition) -> list[str]:
    """The names of what the two say differently."""
    mine, theirs = one.row(), other.row()
    names = [name for name, value in mine.items() if value != theirs[name]]
    return names if one.places() == other.places() else [*names, "destinations"]


def _place(export: Export, made: Definition) -> None:
    Destination.objects.bulk_create(
        Destination(tenant_id=export.tenant_id, export=export, server=server, path=path)
        for server, path in made.destinations
    )


def _taken(fault: IntegrityError) -> Refused:
    if "one_destination_per_folder" in str(fault):
        return Refused("The same folder appears twice. Remove one of them.", "destinations")
    return Refused("Another export has this name. Choose another one.", "name")


def start(export: Export, actor: Actor, now: datetime) -> None:
    """Let it run every night, beginning with today's. Raises Refused without a destination."""
    # Asked anew: the caller's row may be from before a change.
    if not Destination.objects.filter(tenant=export.tenant_id, export=export).exists():
        raise Refused("Add a destination first. Without one, there is nowhere to send the file.")
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
    """A run of the last full day, at once."""
    day = newest_date(export, now)
    with transaction.atomic():
        run = schedule.run_now(export, actor.user, day)
        _audit(export, actor, "export.run", date=day.isoformat())
    return run


def back_fill(
    export: Export, actor: Actor, first: date, last: date, now: datetime
) -> list[ExportRun]:
    """A run for each date from first to last. Raises Refused for what is not over or too much."""
    if fault := _range_fault(first, last, newest_date(export, now)):
        raise fault
    count = (last - first).days + 1
    with transaction.atomic():
        days = (first + timedelta(days=n) for n in range(count))
        runs = [schedule.run_now(export, actor.user, day) for day in days]
        detail = {"first": first.isoformat(), "last": last.isoformat()}
        _audit(export, actor, "export.backfill", **detail)
    return runs


def _range_fault(first: date, last: date, newest: date) -> Refused | None:
    count = (last - first).days + 1
    if last > newest:
        words = (
            f"The most recent complete day is {newest.isoformat()}. Choose that day or "
            "an earlier one."
        )
        return Refused(words, "last")
    if count < 1:
        return Refused("The first day is after the last day. Swap them.", "first")
    if count > MOST_DATES:
        words = (
            f"You asked for {count} days; the maximum is {MOST_DATES} at a time. Choose "
            "a later first day, and ask for the rest afterwards."
        )
        return Refused(words, "first")
    return None


def delete(export: Export, actor: Actor) -> None:
    """Delete it with its runs and their files. Raises Refused while it runs or is under way."""
    with transaction.atomic():
        row = Export.objects.select_for_update().filter(tenant=export.tenant_id, pk=export.pk)
        if row.exclude(started_on=None).exists():
            raise Refused("Stop the export first, then delete it.")
        runs = ExportRun.objects.filter(tenant=export.tenant_id, export=export)
        sending = Delivery.objects.filter(tenant=export.tenant_id, run__export=export)
        if (
            runs.exclude(state__in=ExportRun.FINAL_STATES).exists()
            or sending.exclude(state__in=Delivery.FINAL_STATES).exists()
        ):
            raise Refused("A file of this export is still on its way. Wait for it or cancel it.")
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
