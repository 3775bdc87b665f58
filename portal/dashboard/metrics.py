"""`/metrics` for Prometheus: facts read from the database across tenants at each request.

Nothing is counted in a process, so that any number of web processes give the same answer.
"""

from __future__ import annotations

import hmac
import platform
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, F, Min, Model
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from imports.models import Arrival, ImportJob
from portal import __version__, tenancy
from portal.models import Beat, DropSession, LoginScore, Upload
from portal.web import address

# The values of the labels, then the sample.
Sample = tuple[Any, ...]


def _by_state(model: type[Model]) -> Iterable[Sample]:
    rows = model._default_manager.order_by().values("state").annotate(count=Count("pk"))
    return [(row["state"], row["count"]) for row in rows]


def _oldest_ready_job() -> Iterable[Sample]:
    due = ImportJob.objects.filter(state__in=ImportJob.WAITING_STATES, ready_at__lte=Now())
    oldest = due.aggregate(age=Now() - Min("ready_at"))["age"]
    return [(oldest or timedelta(),)]


def _expired_leases() -> Iterable[Sample]:
    running = ImportJob.objects.filter(state=ImportJob.State.RUNNING)
    return [(running.filter(lease_until__lt=Now()).count(),)]


def _open_sessions() -> Iterable[Sample]:
    return [(DropSession.objects.filter(ended_at=None).count(),)]


def _beat_ages() -> Iterable[Sample]:
    return Beat.objects.values_list("name", Now() - F("seen_at"))


def _bans() -> Iterable[Sample]:
    return [(LoginScore.objects.filter(banned_until__gt=Now()).count(),)]


# Name, meaning, label ("" for none), query.
_FACTS: tuple[tuple[str, str, str, Callable[[], Iterable[Sample]]], ...] = (
    ("causeway_jobs", "Import jobs by state.", "state", lambda: _by_state(ImportJob)),
    (
        "causeway_oldest_ready_job_seconds",
        "How long the job that has waited longest is past its due time.",
        "",
        _oldest_ready_job,
    ),
    (
        "causeway_expired_leases",
        "Running jobs whose worker has not renewed its lease.",
        "",
        _expired_leases,
    ),
    ("causeway_arrivals", "Arrivals by state.", "state", lambda: _by_state(Arrival)),
    (
        "causeway_drop_sessions_open",
        "Sessions of senders that are open now.",
        "",
        _open_sessions,
    ),
    ("causeway_uploads", "Uploads by state.", "state", lambda: _by_state(Upload)),
    (
        "causeway_beat_age_seconds",
        "Seconds since a process last reported.",
        "process",
        _beat_ages,
    ),
    (
        "causeway_login_bans",
        "Addresses that are banned for a name, and names that are slowed down.",
        "",
        _bans,
    ),
)


class Facts(Collector):
    """The collector: one query a metric, at the moment of asking."""

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("causeway_build", "What is running.", value=_versions())
        with tenancy.everyone("metrics count across tenants"):
            for name, meaning, label, query in _FACTS:
                yield _gauge(name, meaning, label, query())


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """The page. 403 without the bearer METRICS_TOKEN; where none is set, beyond this machine."""
    if not _may_read(request):
        return HttpResponseForbidden(
            "Metrics need the header 'Authorization: Bearer' with METRICS_TOKEN, or, where no "
            "token is set, a request from this machine.",
            content_type="text/plain",
        )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Facts())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return address.is_local(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return same and scheme.lower() == "bearer"


def _gauge(name: str, meaning: str, label: str, samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label] if label else [])
    for *labels, value in samples:
        number = value.total_seconds() if isinstance(value, timedelta) else float(value)
        family.add_metric([str(text) for text in labels], number)
    return family


def _versions() -> dict[str, str]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "django": django.get_version(),
    }
