"""Why was my file not picked up? One row for each file in the folders that no delivery took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Now

from imports.arrivals.decisions import Verdict
from imports.models import Sighting
from portal.models import Drop, Endpoint

_LONGEST = 1000
# These files are spoken of on the delivery's own page.
_ELSEWHERE = {Verdict.RESULT, Verdict.IN_PROGRESS, Verdict.PROCESSING}


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, where it lies, and the decision about it. path: relative to the endpoint."""

    path: str
    size: int
    verdict: str
    reason: str
    drop: Drop | None


def record(endpoint: Endpoint, seen: Iterable[Seen]) -> None:
    """Bring the endpoint's sightings in line with what lies there now."""
    now = {_told(one.path): one for one in seen if one.verdict not in _ELSEWHERE}
    known = {s.path: s for s in Sighting.objects.filter(endpoint=endpoint, gone_at=None)}
    gone = [s.pk for path, s in known.items() if path not in now]
    Sighting.objects.filter(pk__in=gone).update(gone_at=Now())
    same = []
    for path, one in now.items():
        before = known.get(path)
        if before is None:
            _add(endpoint, path, one)
        elif (before.verdict, before.reason, before.size) == (one.verdict, one.reason, one.size):
            same.append(before.pk)
        else:
            Sighting.objects.filter(pk=before.pk).update(
                verdict=one.verdict, reason=one.reason, size=one.size, last_seen=Now()
            )
    Sighting.objects.filter(pk__in=same).update(last_seen=Now())


def _told(path: str) -> str:
    """A path as it can be stored: bytes that are not UTF-8 are written out, the end is cut."""
    raw = path.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")[:_LONGEST]


def _add(endpoint: Endpoint, path: str, one: Seen) -> None:
    values = {
        "drop": one.drop,
        "is_exact": path == one.path,
        "size": one.size,
        "verdict": one.verdict[:40],
        "reason": one.reason,
    }
    Sighting.objects.get_or_create(
        tenant_id=endpoint.tenant_id,
        endpoint=endpoint,
        path=path,
        gone_at=None,
        defaults=values,
    )
