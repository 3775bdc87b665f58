"""What the newest events or records hold, to show values beside a path and to name a path that
none of them has."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from exports import layout, queries
from portal.models import Event, Record, Tenant

_NEWEST = 20
_DEEPEST = 6
_MOST_PATHS = 500
_SHOWN = 3
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Samples:
    """documents: as the dotted paths see them, the newest first."""

    documents: Sequence[Mapping[str, Any]]
    known: Sequence[str] = ()
    paths: Sequence[str] = field(default=(), init=False)

    def __post_init__(self) -> None:
        found = dict.fromkeys([*self.known, *(p for one in self.documents for p in _paths(one))])
        object.__setattr__(self, "paths", list(found)[:_MOST_PATHS])

    def values(self, path: str) -> list[str]:
        """A few different values at the path, as text."""
        if path == layout.WHOLE:
            return [_text(one) for one in self.documents[:1]]
        found = (_at(one, path) for one in self.documents)
        return list(dict.fromkeys(_text(one) for one in found if one is not None))[:_SHOWN]

    def lacks(self, path: str) -> bool:
        """Whether there is something to look at, and none of it has the path."""
        if path == layout.WHOLE or path in self.known or not self.documents:
            return False
        return not any(_has(one, path) for one in self.documents)

    def near(self, path: str) -> str:
        """The path that was most likely meant; empty where none is near."""
        folded = {one.casefold(): one for one in self.paths}
        close = difflib.get_close_matches(path.casefold(), folded, n=1, cutoff=0.75)
        return folded[close[0]] if close else ""


def of(tenant: Tenant, source: Mapping[str, Any]) -> Samples:
    """Samples of what an export with this source sends."""
    if name := source.get("records"):
        return _of_records(tenant, str(name), source)
    types = [str(one) for one in source.get("events") or ()]
    return Samples([_document(one) for one in queries.newest_events(tenant, types)], _usual(source))


def _of_records(tenant: Tenant, name: str, source: Mapping[str, Any]) -> Samples:
    rows = Record.objects.filter(tenant=tenant, kind__name=name).order_by("-pk")[:_NEWEST]
    return Samples([{**one.data, "active": one.active} for one in rows], _usual(source))


def _usual(source: Mapping[str, Any]) -> list[str]:
    """The paths that are known without a sample: those of the source's usual columns."""
    try:
        return [column.path for column in layout.defaults(source)]
    except layout.LayoutFault:
        return []


def _document(event: Event) -> dict[str, Any]:
    at = event.at.astimezone(UTC)
    own = {"id": event.uid, "timestamp": _instant(at), "event": event.type}
    payload = event.payload if isinstance(event.payload, dict) else {}
    return {**own, "subject": event.subject, **payload, **own}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _paths(document: Any, before: str = "", depth: int = 0) -> Iterator[str]:
    if not isinstance(document, Mapping) or depth > _DEEPEST:
        return
    for name, value in document.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{path}.", depth + 1)
        else:
            yield path


def _at(document: Mapping[str, Any], path: str) -> Any:
    place: Any = document
    for step in path.split("."):
        if not isinstance(place, Mapping) or step not in place:
            return None
        place = place[step]
    return place


def _has(document: Mapping[str, Any], path: str) -> bool:
    *outer, last = path.split(".")
    place = _at(document, ".".join(outer)) if outer else document
    return isinstance(place, Mapping) and last in place


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
