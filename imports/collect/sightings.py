"""Why was my file not picked up? One row for each file in the folders that no delivery took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Now

from imports.arrivals.decisions import Verdict
from imports.models import Sighting
from portal.models import Drop, Endpoint

_LONGEST = 1000
# The delivery's own page shows these files.
_ELSEWHERE = {Verdict.RESULT, Verdict.IN_PROGRESS, Verdict.PROCESSING}


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, its path relative to the endpoint, and the decision about it."""

    path: str
    size: int
    verdict: str
    reason: str
    drop: Drop | None


def record(endpoint: Endpoint, seen: Iterable[Seen]) -> None:
    """Bring the endpoint's sightings in line with the files that are there now."""
    now = {_storable_path(file.path): file for file in seen if file.verdict not in _ELSEWHERE}
    stored = {s.path: s for s in Sighting.objects.filter(endpoint=endpoint, gone_at=None)}
    gone = [s.pk for path, s in stored.items() if path not in now]
    Sighting.objects.filter(pk__in=gone).update(gone_at=Now())
    same = []
    for path, file in now.items():
        before = stored.get(path)
        if before is None:
            _add(endpoint, path, file)
        elif (before.verdict, before.reason, before.size) == (file.verdict, file.reason, file.size):
            same.append(before.pk)
        else:
            Sighting.objects.filter(pk=before.pk).update(
                verdict=file.verdict, reason=file.reason, size=file.size, last_seen=Now()
            )
    Sighting.objects.filter(pk__in=same).update(last_seen=Now())


def _storable_path(path: str) -> str:
    """A path as it can be stored: bytes that are not UTF-8 are written out, the end is cut."""
    raw = path.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")[:_LONGEST]


def _add(endpoint: Endpoint, path: str, file: Seen) -> None:
    values = {
        "drop": file.drop,
        "is_exact": path == file.path,
        "size": file.size,
        "verdict": file.verdict[:40],
        "reason": file.reason,
    }
    Sighting.objects.get_or_create(
        tenant_id=endpoint.tenant_id,
        endpoint=endpoint,
        path=path,
        gone_at=None,
        defaults=values,
    )
