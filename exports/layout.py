"""The columns of an export's file: names, dotted paths, constants, and what they are by default.

Dictionary 4.2: `courseCompletion` has 19 columns in a fixed order, nested members flattened by
dots in CSV. In JSON the dots of a column make nested objects again. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

from portal.records.catalog import catalog

WHOLE = "*"  # the path of everything that an event or a record holds, as JSON
RECORD_CHANGE = "recordChange"  # no stored event: made of the record store (`exports/selection.py`)
MOST_COLUMNS = 500
_LONGEST = 200
_DEEPEST = 20
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_USER = (
    "userDetail.id",
    "userDetail.firstName",
    "userDetail.lastName",
    "userDetail.externalCustomerId",
    "userDetail.sfContactId",
    "userDetail.sfAccountId",
    "userDetail.client",
    "userDetail.ref1",
    "userDetail.ref2",
    "userDetail.ref3",
)
_DEFAULTS: dict[str, tuple[str, ...]] = {
    "courseCompletion": (
        *("id", "source", "timestamp", "type", "user", "companyId", "event"),
        *("notifiableId", "title", *_USER),
    ),
    "courseAction": (
        *("id", "timestamp", "event", "kind", "user", "notifiableId", "title", "percent"),
    ),
    "courseCertificate": (
        *("id", "timestamp", "event", "user", "notifiableId", "title"),
        *("certificateId", "expiresAt"),
    ),
    "importFinished": (
        *("id", "timestamp", "event", "job", "number", "recordType", "feed", "fileName", "state"),
        *("created", "updated", "unchanged", "removed", "rejected"),
    ),
    RECORD_CHANGE: ("id", "timestamp", "event", "recordType", "key", "action", "job", "data"),
}
_ANY_EVENT = ("id", "timestamp", "event", "subject")


class LayoutFault(ValueError):
    """The columns cannot be used as they are. The message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. path: dotted, where the value is found; empty: every cell is the constant."""

    name: str
    path: str = ""
    constant: str = ""


Tree: TypeAlias = dict[str, Union[Column, "Tree"]]


def columns(export_source: Mapping[str, Any], stored: Sequence[Any]) -> list[Column]:
    """The columns as an export stores them; the defaults of its source where it stores none.

    Raises LayoutFault.
    """
    if not stored:
        return defaults(export_source)
    if len(stored) > MOST_COLUMNS:
        raise LayoutFault(f"There are {len(stored)} columns; the maximum is {MOST_COLUMNS}.")
    found = [_column(number, one) for number, one in enumerate(stored, start=1)]
    _refuse_twice(found)
    return found


def defaults(export_source: Mapping[str, Any]) -> list[Column]:
    """The columns of a source for which nobody chose any. Raises LayoutFault."""
    if name := export_source.get("records"):
        return _of_records(str(name), bool(export_source.get("changed")))
    types = export_source.get("events") or []
    if len(types) == 1 and types[0] in _DEFAULTS:
        return [Column(path, path) for path in _DEFAULTS[types[0]]]
    return [*(Column(path, path) for path in _ANY_EVENT), Column("payload", WHOLE)]


def event_part(export_source: Mapping[str, Any], export_name: str) -> str:
    """What stands for {event} in a file's name: the one event type or record type, or else the
    export's name."""
    types = export_source.get("events") or []
    one = export_source.get("records") or (types[0] if len(types) == 1 else export_name)
    return str(one)


def header(chosen: Sequence[Column]) -> list[str]:
    """The first line's cells."""
    return [column.name for column in chosen]


def steps(path: str) -> tuple[str, ...]:
    """The members that a dotted path goes through. Raises LayoutFault."""
    found = tuple(path.split("."))
    if not all(found):
        raise LayoutFault(
            f"The path “{_short(path)}” has nothing before, after or between its dots. "
            "Write it as userDetail.firstName."
        )
    if len(found) > _DEEPEST or len(path) > _LONGEST or _HIDDEN.search(path):
        raise LayoutFault(
            f"The path “{_short(path)}” is too long or contains hidden characters. The "
            f"maximum is {_LONGEST} characters and {_DEEPEST} steps."
        )
    return found


def nested(chosen: Sequence[Column]) -> Tree:
    """The columns as a JSON object holds them: dots of their names make objects in objects.

    Raises LayoutFault where one name would have to be a value and an object at once.
    """
    tree: Tree = {}
    for column in chosen:
        *outer, last = column.name.split(".") if _is_dotted(column.name) else [column.name]
        place = tree
        for step in outer:
            inner = place.setdefault(step, {})
            if isinstance(inner, Column):
                raise _both(inner.name, column.name)
            place = inner
        if last in place:
            raise _both(column.name, column.name)
        place[last] = column
    return tree


def _is_dotted(name: str) -> bool:
    return all(name.split("."))


def _both(one: str, other: str) -> LayoutFault:
    return LayoutFault(
        f"In JSON, the column “{_short(one)}” cannot be a value and contain "
        f"“{_short(other)}” at once. Rename one of the columns."
    )


def _of_records(name: str, changed: bool) -> list[Column]:
    try:
        record_type = catalog().record_type(name)
    except KeyError:
        raise LayoutFault(f"There is no record type “{_short(name)}”.") from None
    found = [Column(field.name, field.name) for field in record_type.fields]
    return [*found, Column("active", "active")] if changed else found


def _column(number: int, stored: Any) -> Column:
    if not isinstance(stored, Mapping) or not isinstance(name := stored.get("name"), str):
        raise LayoutFault(f"Column {number} has no name.")
    if not name.strip() or len(name) > _LONGEST or _HIDDEN.search(name):
        raise LayoutFault(
            f"The name of column {number} is empty, invisible or longer than {_LONGEST} characters."
        )
    path, constant = stored.get("path"), stored.get("constant")
    if (path is None) == (constant is None):
        raise LayoutFault(f"Column “{_short(name)}” needs either a path or a constant.")
    if path is None:
        return Column(name, constant=_constant(name, constant))
    if not isinstance(path, str) or not path:
        raise LayoutFault(
            f"The path of column “{_short(name)}” is empty. Enter the path of the value."
        )
    steps(path)
    return Column(name, path)


def _constant(name: str, constant: Any) -> str:
    if not isinstance(constant, str) or len(constant) > 1000 or "\0" in constant:
        raise LayoutFault(
            f"The constant of column “{_short(name)}” is not a text of at most 1,000 characters."
        )
    return constant


def _refuse_twice(found: Sequence[Column]) -> None:
    seen: set[str] = set()
    for column in found:
        if column.name in seen:
            raise LayoutFault(f"There are two columns “{_short(column.name)}”. Rename one.")
        seen.add(column.name)


def _short(text: str) -> str:
    shown = _HIDDEN.sub(" ", text)
    return shown if len(shown) <= 60 else shown[:59] + "…"
