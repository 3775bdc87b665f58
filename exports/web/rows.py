"""The rows of the export form, its columns and destinations: read, moved and checked.

Names of the inputs: column-<n>-name, -kind and -value; place-<n>-server and -path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.http import QueryDict
from django.utils.translation import gettext as _

from exports import layout
from exports.models import Server
from exports.samples import Samples

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


def columns_sent(sent: QueryDict) -> list[ColumnRow]:
    """The columns in the order of the form."""
    found = []
    for number in range(layout.MOST_COLUMNS + 1):
        name = sent.get(f"column-{number}-name")
        if name is None:
            break
        kind = sent.get(f"column-{number}-kind", "")
        value = sent.get(f"column-{number}-value", "")
        row = ColumnRow(name, "constant" if kind == "constant" else "path", value)
        if row.kind == "path":
            row.value = row.value.strip()
        found.append(row)
    return found


def columns_stored(stored: Sequence[Mapping[str, str]]) -> list[ColumnRow]:
    """The columns of a saved export."""
    return [
        ColumnRow(one.get("name", ""), "constant", one["constant"])
        if "constant" in one
        else ColumnRow(one.get("name", ""), "path", one.get("path", ""))
        for one in stored
    ]


def usual(source: Mapping[str, Any]) -> list[ColumnRow]:
    """The columns that the source has where nobody chose any; none for an unfinished one."""
    try:
        return [ColumnRow(one.name, "path", one.path) for one in layout.defaults(source)]
    except layout.LayoutFault:
        return []


def places_sent(sent: QueryDict) -> list[PlaceRow]:
    """The destinations in the order of the form."""
    found = []
    for number in range(100):
        path = sent.get(f"place-{number}-path")
        if path is None:
            break
        found.append(PlaceRow(sent.get(f"place-{number}-server", ""), path[: _LONGEST_PATH + 1]))
    return found


def moved(rows: list[R], do: str, word: str) -> tuple[list[R], int]:
    """The rows after a button such as column-up-2, and which row the cursor belongs to now.

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


def judge_columns(rows: list[ColumnRow], source: Mapping[str, Any], fmt: str) -> str:
    """Put each fault at its row; returns the fault of all together, such as one name twice."""
    for row in rows:
        try:
            layout.columns(source, [row.stored()])
        except layout.LayoutFault as fault:
            row.fault = str(fault).replace("column 1", "this column")
    if any(row.fault for row in rows):
        return ""
    try:
        found = layout.columns(source, [row.stored() for row in rows])
        if fmt != "csv":
            layout.nested(found)
    except layout.LayoutFault as fault:
        return str(fault)
    return ""


def show_samples(rows: list[ColumnRow], samples: Samples) -> None:
    """Put values beside each path, and say where no event has it."""
    for row in rows:
        if row.kind == "path" and row.value:
            row.samples = samples.values(row.value)
            row.lacks = samples.lacks(row.value)
            row.near = samples.near(row.value) if row.lacks else ""


def judge_places(
    rows: list[PlaceRow], servers: Mapping[str, Server]
) -> tuple[tuple[Server, str], ...]:
    """The destinations; each fault is put at its row."""
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
