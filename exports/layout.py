"""The columns of an export's file: names, dotted paths, constants, and what they are by default.

Dictionary 4.2: `courseCompletion` has 19 columns in a fixed order, nested members flattened by
dots in CSV. In JSON the dots of a column make nested objects again. Columns that cannot be used are
refused with one fault, whose path is `columns`, a position, and what of the column is wrong. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

from portal.faults import Fault, Refused
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


@dataclass(frozen=True, slots=True)
class Column:
    """One column. path: dotted, to the value; empty where every cell is the constant."""

    name: str
    path: str = ""
    constant: str = ""


Tree: TypeAlias = dict[str, Union[Column, "Tree"]]


def columns(export_source: Mapping[str, Any], stored: Sequence[Any]) -> list[Column]:
    """The columns as an export stores them; the defaults of its source where it stores none.

    Raises Refused.
    """
    if not stored:
        return defaults(export_source)
    if len(stored) > MOST_COLUMNS:
        raise _refused(
            ("columns",),
            "too_many_columns",
            "There are %(count)s columns; the maximum is %(most)s.",
            count=len(stored),
            most=MOST_COLUMNS,
        )
    read = [_column(index, column) for index, column in enumerate(stored)]
    _refuse_same_names(read)
    return read


def _refused(path: tuple[str | int, ...], code: str, message: str, /, **params: object) -> Refused:
    return Refused(Fault(path, code, message, params))


def defaults(export_source: Mapping[str, Any]) -> list[Column]:
    """The columns of a source for which nobody chose any. Raises Refused."""
    if name := export_source.get("records"):
        return _of_records(str(name), bool(export_source.get("changed")))
    types = export_source.get("events") or []
    if len(types) == 1 and types[0] in _DEFAULTS:
        return [Column(path, path) for path in _DEFAULTS[types[0]]]
    return [*(Column(path, path) for path in _ANY_EVENT), Column("payload", WHOLE)]


def event_part(export_source: Mapping[str, Any], export_name: str) -> str:
    """What {event} is replaced with in a file's name: the record type, or the only event type, or
    else the export's name."""
    types = export_source.get("events") or []
    only_type = types[0] if len(types) == 1 else export_name
    return str(export_source.get("records") or only_type)


def header(chosen: Sequence[Column]) -> list[str]:
    """The first line's cells."""
    return [column.name for column in chosen]


def steps(path: str) -> tuple[str, ...]:
    """The members that a dotted path goes through. Raises Refused with the path `path`."""
    members = tuple(path.split("."))
    if not all(members):
        raise _refused(
            ("path",),
            "empty_step",
            "The path “%(path)s” has nothing before, after or between its dots. Write it as "
            "userDetail.firstName.",
            path=_short(path),
        )
    if len(members) > _DEEPEST or len(path) > _LONGEST or _HIDDEN.search(path):
        raise _refused(
            ("path",),
            "bad_path",
            "The path “%(path)s” is too long or contains hidden characters. The maximum "
            "is %(most)s characters and %(deepest)s steps.",
            path=_short(path),
            most=_LONGEST,
            deepest=_DEEPEST,
        )
    return members


def nested(chosen: Sequence[Column]) -> Tree:
    """The columns as a JSON object holds them: dots of their names make objects in objects.

    Raises Refused where one name would have to be a value and an object at once.
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


def _both(outer: str, inner: str) -> Refused:
    return _refused(
        ("columns",),
        "value_and_object",
        "In JSON, the column “%(outer)s” cannot be a value and contain “%(inner)s” "
        "at once. Rename one of the columns.",
        outer=_short(outer),
        inner=_short(inner),
    )


def _of_records(name: str, changed: bool) -> list[Column]:
    try:
        record_type = catalog().record_type(name)
    except KeyError:
        message = "There is no record type “%(name)s”."
        raise _refused(("records",), "no_record_type", message, name=_short(name)) from None
    own = [Column(field.name, field.name) for field in record_type.fields]
    return [*own, Column("active", "active")] if changed else own


def _column(index: int, stored: Any) -> Column:
    try:
        return _read_column(index + 1, stored)
    except Refused as refused:
        raise Refused(*(fault.below("columns", index) for fault in refused.faults)) from None


def _read_column(number: int, stored: Any) -> Column:
    """Raises Refused with a path from the column on. number: from 1."""
    if not isinstance(stored, Mapping) or not isinstance(name := stored.get("name"), str):
        raise _refused(("name",), "no_name", "Column %(number)s has no name.", number=number)
    if not name.strip() or len(name) > _LONGEST or _HIDDEN.search(name):
        raise _refused(
            ("name",),
            "bad_name",
            "The name of %(column)s is empty, invisible or longer than %(most)s characters.",
            column=f"column {number}",
            most=_LONGEST,
        )
    path, constant = stored.get("path"), stored.get("constant")
    if (path is None) == (constant is None):
        message = "Column “%(name)s” needs either a path or a constant."
        raise _refused((), "path_or_constant", message, name=_short(name))
    if path is None:
        return Column(name, constant=_constant(name, constant))
    if not isinstance(path, str) or not path:
        message = "The path of column “%(name)s” is empty. Enter the path of the value."
        raise _refused(("path",), "no_path", message, name=_short(name))
    steps(path)
    return Column(name, path)


def _constant(name: str, constant: Any) -> str:
    if not isinstance(constant, str) or len(constant) > 1000 or "\0" in constant:
        message = "The constant of column “%(name)s” is not a text of at most 1,000 characters."
        raise _refused(("constant",), "bad_constant", message, name=_short(name))
    return constant


def _refuse_same_names(chosen: Sequence[Column]) -> None:
    seen: set[str] = set()
    for index, column in enumerate(chosen):
        if column.name in seen:
            message = "There are two columns “%(name)s”. Rename one."
            path = ("columns", index, "name")
            raise _refused(path, "same_name", message, name=_short(column.name))
        seen.add(column.name)


def _short(text: str) -> str:
    shown = _HIDDEN.sub(" ", text)
    return shown if len(shown) <= 60 else shown[:59] + "…"
