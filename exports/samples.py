"""The members of the newest events or records: to show values beside a path, and to find a path
that none of them has."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from exports import layout, queries
from portal.faults import Refused
from portal.models import Event, Record, Tenant

_NEWEST = 20
_DEEPEST = 6
_MOST_PATHS = 500
_SHOWN = 3
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Samples:
    """documents: as the dotted paths see them, the newest first. usual: paths of the source's usual
    columns, which need no document that has them. paths: all, the usual ones first."""

    documents: Sequence[Mapping[str, Any]]
    usual: Sequence[str] = ()
    paths: Sequence[str] = field(default=(), init=False)

    def __post_init__(self) -> None:
        of_documents = (path for document in self.documents for path in _paths(document))
        paths = dict.fromkeys([*self.usual, *of_documents])
        object.__setattr__(self, "paths", list(paths)[:_MOST_PATHS])

    def values(self, path: str) -> list[str]:
        """A few different values at the path, as text."""
        if path == layout.WHOLE:
            return [_text(document) for document in self.documents[:1]]
        values = (_at(document, path) for document in self.documents)
        texts = dict.fromkeys(_text(value) for value in values if value is not None)
        return list(texts)[:_SHOWN]

    def lacks(self, path: str) -> bool:
        """Whether there are documents, and none of them has the path."""
        if path == layout.WHOLE or path in self.usual or not self.documents:
            return False
        return not any(_has(document, path) for document in self.documents)

    def near(self, path: str) -> str:
        """The most similar path; empty where none is similar."""
        folded = {candidate.casefold(): candidate for candidate in self.paths}
        close = difflib.get_close_matches(path.casefold(), folded, n=1, cutoff=0.75)
        return folded[close[0]] if close else ""


def newest(tenant: Tenant, source: Mapping[str, Any]) -> Samples:
    """Samples of what an export with this source sends."""
    if name := source.get("records"):
        return _of_records(tenant, str(name), source)
    types = [str(name) for name in source.get("events") or ()]
    events = queries.newest_events(tenant, types)
    return Samples([_document(event) for event in events], _usual(source))


def _of_records(tenant: Tenant, name: str, source: Mapping[str, Any]) -> Samples:
    rows = Record.objects.filter(tenant=tenant, kind__name=name).order_by("-pk")[:_NEWEST]
    documents = [{**record.data, "active": record.active} for record in rows]
    return Samples(documents, _usual(source))


def _usual(source: Mapping[str, Any]) -> list[str]:
    """The paths of the source's usual columns; none where the source is unfinished."""
    try:
        return [column.path for column in layout.defaults(source)]
    except Refused:
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
