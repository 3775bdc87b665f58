"""The rows of the export form, its columns and destinations: read, moved and checked.

Names of the inputs: column-<n>-name, -kind and -value; place-<n>-server and -path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from django.http import QueryDict
from django.utils.translation import gettext as _

from exports import layout
from exports.models import Server
from exports.samples import Samples
from portal.faults import Fault, Refused

_LONGEST_PATH = 500
R = TypeVar("R")


@dataclass(slots=True)
class ColumnRow:
    """One column as the form has it. kind: "path" or "constant"; focus: where the cursor goes."""

    name: str = ""
    kind: str = "path"
    value: str = ""
    fault: str = ""
    samples: list[str] = field(default_factory=list)
    lacks: bool = False
    near: str = ""
    focus: str = ""

    def stored(self) -> dict[str, str]:
        """As the export stores it."""
        return {"name": self.name, self.kind: self.value}


@dataclass(slots=True)
class PlaceRow:
    """One destination as the form has it. server: its uid as text."""

    server: str = ""
    path: str = ""
    fault: str = ""
    focus: str = ""


def sent_columns(sent: QueryDict) -> list[ColumnRow]:
    """The columns in the order of the form."""
    rows = []
    for number in range(layout.MOST_COLUMNS + 1):
        name = sent.get(f"column-{number}-name")
        if name is None:
            break
        kind = sent.get(f"column-{number}-kind", "")
        value = sent.get(f"column-{number}-value", "")
        row = ColumnRow(name, "constant" if kind == "constant" else "path", value)
        if row.kind == "path":
            row.value = row.value.strip()
        rows.append(row)
    return rows


def stored_columns(stored: Sequence[Mapping[str, str]]) -> list[ColumnRow]:
    """The columns of a saved export."""
    return [
        ColumnRow(column.get("name", ""), "constant", column["constant"])
        if "constant" in column
        else ColumnRow(column.get("name", ""), "path", column.get("path", ""))
        for column in stored
    ]


def usual_columns(source: Mapping[str, Any]) -> list[ColumnRow]:
    """The columns of the source where a person chose none; empty for an unfinished source."""
    try:
        return [ColumnRow(column.name, "path", column.path) for column in layout.defaults(source)]
    except Refused:
        return []


def sent_places(sent: QueryDict) -> list[PlaceRow]:
    """The destinations in the order of the form."""
    rows = []
    for number in range(100):
        path = sent.get(f"place-{number}-path")
        if path is None:
            break
        rows.append(PlaceRow(sent.get(f"place-{number}-server", ""), path[: _LONGEST_PATH + 1]))
    return rows


def moved(rows: list[R], do: str, word: str) -> tuple[list[R], int]:
    """The rows after a button such as column-up-2, and which row gets the cursor.

    Unchanged with -1 for any other button.
    """
    act, _sign, at = do.removeprefix(f"{word}-").partition("-")
    if not do.startswith(f"{word}-") or not (at.isascii() and at.isdigit() and int(at) < len(rows)):
        return rows, -1
    place, changed = int(at), list(rows)
    if act == "remove":
        del changed[place]
        return changed, min(place, len(changed) - 1)
    target = place + {"up": -1, "down": 1}.get(act, 0)
    if 0 <= target < len(rows):
        changed[place], changed[target] = changed[target], changed[place]
        return changed, target
    return rows, place


def check_columns(rows: list[ColumnRow], source: Mapping[str, Any], fmt: str) -> str:
    """Put each fault beside its row. Returns the fault of all rows together, such as a name that is
    used twice."""
    for row in rows:
        try:
            layout.columns(source, [row.stored()])
        except Refused as refused:
            row.fault = " ".join(str(_of_its_row(fault)) for fault in refused.faults)
    if any(row.fault for row in rows):
        return ""
    try:
        columns = layout.columns(source, [row.stored() for row in rows])
        if fmt != "csv":
            layout.nested(columns)
    except Refused as refused:
        return str(refused)
    return ""


def _of_its_row(fault: Fault) -> Fault:
    """The fault without a number of the column: the row shows which one it is."""
    return replace(fault, params={**fault.params, "column": "this column"})


def show_samples(rows: list[ColumnRow], samples: Samples) -> None:
    """Put sample values beside each path, and mark a path that no sample has."""
    for row in rows:
        if row.kind == "path" and row.value:
            row.samples = samples.values(row.value)
            row.lacks = samples.lacks(row.value)
            row.near = samples.near(row.value) if row.lacks else ""


def check_places(
    rows: list[PlaceRow], servers: Mapping[str, Server]
) -> tuple[tuple[Server, str], ...]:
    """The destinations. Puts each fault beside its row."""
    seen: set[tuple[int, str]] = set()
    return tuple(_places(rows, servers, seen))


def _places(
    rows: list[PlaceRow], servers: Mapping[str, Server], seen: set[tuple[int, str]]
) -> Iterator[tuple[Server, str]]:
    for row in rows:
        server = servers.get(row.server)
        if server is None:
            row.fault = _("Choose a server, or remove this row.")
            continue
        row.fault = _path_fault(row.path)
        if (server.pk, row.path) in seen:
            row.fault = _("This folder appears twice. Remove one of the rows.")
        seen.add((server.pk, row.path))
        yield server, row.path


def _path_fault(path: str) -> str:
    """What is wrong with a folder's path; empty where nothing is."""
    if len(path) > _LONGEST_PATH:
        return _("The path is longer than %(n)s characters.") % {"n": _LONGEST_PATH}
    if path != path.strip():
        return _("The path begins or ends with a space. Remove it.")
    if not path.isprintable():
        return _("The path contains an invisible character. Type it again.")
    if "://" in path:
        return _("This is a full address: paste it below, under “Paste an SFTP address”.")
    return ""
