"""All reading for the export pages: exports, runs, deliveries, servers, samples. Tenant first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from exports.layout import RECORD_CHANGE
from exports.models import Attempt, Delivery, Destination, Export, ExportRun, Server
from portal.events.types import known_types
from portal.models import Event, Tenant

# Dictionary 4.3, and what the portal itself reports.
KNOWN_TYPES = (*known_types(), RECORD_CHANGE)
_NEWEST = 20  # events or records that samples are taken of
_MOST_TYPES = 200
_UNSETTLED = (
    *ExportRun.WAITING_STATES,
    ExportRun.State.RUNNING,
)
MOVING = (*Delivery.WAITING_STATES, Delivery.State.SENDING)


def exports(tenant: Tenant) -> QuerySet[Export]:
    """The tenant's exports by name, with their destinations."""
    places = Destination.objects.select_related("server").order_by("pk")
    rows = Export.objects.filter(tenant=tenant).prefetch_related(Prefetch("destinations", places))
    return rows.order_by("name", "pk")


def export(tenant: Tenant, uid: uuid.UUID) -> Export | None:
    """The tenant's export; None where there is none."""
    return exports(tenant).filter(uid=uid).first()


def last_runs(exports: Sequence[Export]) -> dict[int, ExportRun]:
    """The newest run of each export by the export's number, with its deliveries."""
    if not exports:
        return {}
    newest = (
        ExportRun.objects.filter(tenant=exports[0].tenant_id, export__in=exports)
        .order_by("export_id", "-pk")
        .distinct("export_id")
        .defer("definition")
        .prefetch_related("deliveries")
    )
    return {run.export_id: run for run in newest}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a list of runs shows. Empty means all. since, until: the dates covered, inclusive."""

    state: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None


def runs(export: Export, run_filter: RunFilter) -> QuerySet[ExportRun]:
    """The export's runs that match the filter, the newest date first."""
    rule = Q(tenant=export.tenant_id, export=export)
    if run_filter.kind:
        rule &= Q(kind=run_filter.kind)
    if run_filter.since:
        rule &= Q(local_date__gte=run_filter.since)
    if run_filter.until:
        rule &= Q(local_date__lte=run_filter.until)
    rows = ExportRun.objects.filter(rule).defer("definition").select_related("user")
    rows = _in_state(rows, run_filter.state).prefetch_related("deliveries")
    return rows.order_by("-local_date", "-pk")


def _in_state(rows: QuerySet[ExportRun], state: str) -> QuerySet[ExportRun]:
    """The runs whose night is in that state (`exports/nights.py`)."""
    some, D = Delivery.objects.filter(run=OuterRef("pk")), Delivery.State
    rules: dict[str, Q] = {
        "given_up": Q(Exists(some.filter(state__in=[D.GIVEN_UP, D.REFUSED]))),
        "retrying": Q(state="errored") | Q(Exists(some.filter(state=D.RETRYING))),
        "running": Q(state__in=["ready", "running"])
        | Q(Exists(some.filter(state__in=[D.READY, D.SENDING]))),
        "sent": Q(Exists(some)) & ~Q(Exists(some.exclude(state=D.DELIVERED))),
        "cancelled": Q(Exists(some.filter(state=D.CANCELLED))),
        "written": Q(state="written") & ~Q(Exists(some)),
        "empty": Q(state="empty"),
        "failed": Q(state="failed"),
    }
    return rows.filter(rules[state]) if state in rules else rows


def run(tenant: Tenant, uid: uuid.UUID) -> ExportRun | None:
    """The tenant's run with its export; None where there is none."""
    rows = ExportRun.objects.filter(tenant=tenant, uid=uid)
    return rows.select_related("export", "user").first()


def deliveries_of(run: ExportRun) -> list[Delivery]:
    """The run's deliveries with their attempts, the newest attempt first."""
    log = Prefetch("log", Attempt.objects.order_by("-number"))
    rows = Delivery.objects.filter(tenant=run.tenant_id, run=run)
    return list(
        rows.select_related("server", "acknowledged_by").prefetch_related(log).order_by("pk")
    )


def is_moving(run: ExportRun) -> bool:
    """Whether the run or one of its deliveries has not ended yet."""
    if run.state in _UNSETTLED:
        return True
    return Delivery.objects.filter(tenant=run.tenant_id, run=run, state__in=MOVING).exists()


def has_moving(export: Export) -> bool:
    """Whether any run or delivery of the export has not ended yet."""
    runs = ExportRun.objects.filter(tenant=export.tenant_id, export=export, state__in=_UNSETTLED)
    sending = Delivery.objects.filter(tenant=export.tenant_id, run__export=export, state__in=MOVING)
    return runs.exists() or sending.exists()


OPEN_INCIDENT = Q(incident_at__isnull=False, acknowledged_at__isnull=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """What a list of deliveries shows. state: also "incident", "unfinished". Empty means all."""

    state: str = ""
    server: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def deliveries(tenant: Tenant, delivery_filter: DeliveryFilter) -> QuerySet[Delivery]:
    """The tenant's deliveries that match the filter: open incidents first, then newest."""
    rule = Q(tenant=tenant)
    if delivery_filter.state == "incident":
        rule &= OPEN_INCIDENT
    elif delivery_filter.state == "unfinished":
        rule &= Q(state__in=MOVING)
    elif delivery_filter.state:
        rule &= Q(state=delivery_filter.state)
    if delivery_filter.server:
        rule &= Q(server=delivery_filter.server)
    if delivery_filter.since:
        rule &= Q(created_at__gte=delivery_filter.since)
    if delivery_filter.until:
        rule &= Q(created_at__lt=delivery_filter.until)
    rows = Delivery.objects.filter(rule).select_related("run__export", "server")
    rows = rows.defer("run__definition", "server__password", "server__private_key")
    return rows.annotate(is_incident=OPEN_INCIDENT).order_by("-is_incident", "-pk")


def delivery(tenant: Tenant, uid: uuid.UUID) -> Delivery | None:
    """The tenant's delivery; None where there is none."""
    return Delivery.objects.filter(tenant=tenant, uid=uid).select_related("run", "server").first()


def open_incidents(tenant: Tenant) -> int:
    """How many deliveries were given up or refused and are not acknowledged yet."""
    return Delivery.objects.filter(OPEN_INCIDENT, tenant=tenant).count()


def servers(tenant: Tenant) -> QuerySet[Server]:
    """The tenant's servers by name, with how many exports send to them."""
    used = Count("destinations__export", distinct=True)
    return Server.objects.filter(tenant=tenant).annotate(used=used).order_by("name", "pk")


def server(tenant: Tenant, uid: uuid.UUID) -> Server | None:
    """The tenant's server; None where there is none."""
    return servers(tenant).filter(uid=uid).first()


def exports_to(server: Server) -> QuerySet[Export]:
    """The exports that send to the server."""
    rows = Export.objects.filter(tenant=server.tenant_id, destinations__server=server)
    return rows.distinct().order_by("name")


def seen_types(tenant: Tenant) -> list[str]:
    """The event types of the tenant's events, by name: each by one step through the index."""
    names: list[str] = []
    rows = Event.objects.filter(tenant=tenant).order_by("type").values_list("type", flat=True)
    after = ""
    while len(names) < _MOST_TYPES:
        name = rows.filter(type__gt=after).first()
        if name is None:
            break
        names.append(name)
        after = name
    return names


def newest_events(tenant: Tenant, types: Sequence[str]) -> list[Event]:
    """The newest events of each of the types, or of any type where none is named."""
    rows = Event.objects.filter(tenant=tenant)
    if not types:
        return list(rows.order_by("-received_at")[:_NEWEST])
    each = max(_NEWEST // len(types), 2)
    events: list[Event] = []
    for name in types[:_NEWEST]:
        events += rows.filter(type=name).order_by("-at")[:each]
    return events
