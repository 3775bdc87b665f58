"""`/metrics` for Prometheus: facts read from the database across tenants when asked.

Nothing is counted in a process, so that any number of web processes give the same answer. Jobs and
arrivals are another package's, which the ground may not import: their tables are read by name.
"""

from __future__ import annotations

import hmac
import platform
from collections.abc import Iterable, Iterator

import django
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from portal import tenancy
from portal.web import address

# name, meaning, label (empty for none), query that gives label and value, or value alone
_FACTS = (
    (
        "causeway_jobs",
        "Import jobs by state.",
        "state",
        "SELECT state, count(*) FROM imports_importjob GROUP BY state",
    ),
    (
        "causeway_oldest_ready_job_seconds",
        "How long the job that has waited longest is past its due time.",
        "",
        "SELECT coalesce(extract(epoch FROM now() - min(ready_at)), 0) FROM imports_importjob "
        "WHERE state IN ('ready', 'errored') AND ready_at <= now()",
    ),
    (
        "causeway_expired_leases",
        "Running jobs whose worker has not renewed its lease.",
        "",
        "SELECT count(*) FROM imports_importjob WHERE state = 'running' AND lease_until < now()",
    ),
    (
        "causeway_arrivals",
        "Arrivals by state.",
        "state",
        "SELECT state, count(*) FROM imports_arrival GROUP BY state",
    ),
    (
        "causeway_drop_sessions_open",
        "Sessions of senders that are open now.",
        "",
        "SELECT count(*) FROM portal_dropsession WHERE ended_at IS NULL",
    ),
    (
        "causeway_uploads",
        "Uploads by state.",
        "state",
        "SELECT state, count(*) FROM portal_upload GROUP BY state",
    ),
    (
        "causeway_beat_age_seconds",
        "Seconds since a process last reported.",
        "process",
        "SELECT name, extract(epoch FROM now() - seen_at) FROM portal_beat",
    ),
    (
        "causeway_login_bans",
        "Addresses that are banned for a name, and names that are slowed down.",
        "",
        "SELECT count(*) FROM portal_loginscore WHERE banned_until > now()",
    ),
)


class Facts(Collector):
    """The collector: one query a metric, at the moment of asking."""

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("causeway_build", "What is running.", value=_versions())
        with tenancy.everyone("metrics count across tenants"), connection.cursor() as cursor:
            for name, meaning, label, query in _FACTS:
                cursor.execute(query)
                yield _gauge(name, meaning, label, cursor.fetchall())


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


def _gauge(name: str, meaning: str, label: str, rows: Iterable[tuple[object, ...]]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label] if label else [])
    for labels, value in _samples(rows):
        family.add_metric(labels, value)
    return family


def _samples(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[list[str], float]]:
    for *labels, value in rows:
        yield [str(text) for text in labels], float(str(value))


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "django": django.get_version()}
