"""A field's source from a page's form, as the spec writes it and unchecked.

The names of the inputs: step-<number>-kind, step-<number>-<parameter>; a value map's pairs are
found-<number>-<n> and value-<number>-<n>.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

# Kind of step: its label, and its initial parameters.
KINDS: dict[str, tuple[Any, Any]] = {
    "trim": (_("Trim spaces"), True),
    "case": (_("Uppercase and lowercase"), "upper"),
    "replace": (_("Replace text"), {"find": " ", "with": "", "regex": False}),
    "split": (_("Split and take one part"), {"on": " ", "part": 1}),
    "part": (_("Take some characters"), {"from": 1, "length": 4}),
    "pad": (_("Pad to a width"), {"width": 8, "with": "0", "side": "left"}),
    "number": (_("Read a number"), {"decimal": ",", "thousands": "."}),
    "date": (_("Read a date"), {"formats": ["%d.%m.%Y"]}),
    "map": (_("Value map"), {"values": {}, "other": "reject"}),
    "lookup": (_("Look up in a table"), {"table": "", "other": "reject"}),
}
JOINING = ("join", "first_non_blank")
_NUMBERS = {"split": ("part",), "part": ("from", "length"), "pad": ("width",)}
_MOST = 50


def number(text: str) -> int | str:
    """A whole number where the text is one; else the text, which the spec's parser refuses."""
    bare = text.strip()
    digits = bare.removeprefix("-")
    return int(bare) if digits.isascii() and digits.isdigit() and len(bare) < 12 else bare


def source_of(sent: QueryDict, header: list[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """The field's source as sent. before: as stored; values that the page left out stay."""
    if sent.get("way") == "constant":
        return {"constant": sent.get("constant", "")[:4000]}
    columns = _columns(sent, header)
    steps = [*_joining(sent, len(columns)), *_steps(sent, before)]
    source: dict[str, Any] = {"columns": columns}
    if steps:
        source["steps"] = steps
    if sent.get("default", "") != "":
        source["default"] = sent["default"][:4000]
    return source


def _columns(sent: QueryDict, header: list[str]) -> list[str]:
    chosen = [sent.get(f"column-{place}", "") for place in range(_MOST)]
    positions = [int(text) for text in chosen if text.isascii() and text.isdigit()]
    return list(dict.fromkeys(header[at] for at in positions if at < len(header)))


def _joining(sent: QueryDict, columns: int) -> list[dict[str, Any]]:
    if columns < 2:
        return []
    if sent.get("together") == "first_non_blank":
        return [{"first_non_blank": True}]
    return [{"join": sent.get("between", " ")[:100]}]


def _steps(sent: QueryDict, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    stored = own_steps(before)
    steps = []
    for place in range(_MOST):
        kind = sent.get(f"step-{place}-kind", "")
        if kind not in KINDS:
            break
        old = stored[place].get(kind) if place < len(stored) else None
        steps.append({kind: _parameters(sent, place, kind, old)})
    return steps


def own_steps(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps after the one that joins columns."""
    return [step for step in source.get("steps", ()) if not set(JOINING) & set(step)]


def joining(source: Mapping[str, Any]) -> dict[str, Any]:
    """The step that joins columns; empty where there is none."""
    return next((step for step in source.get("steps", ()) if set(JOINING) & set(step)), {})


def _parameters(sent: QueryDict, place: int, kind: str, old: Any) -> Any:
    """A step's parameters as sent."""

    def value(name: str) -> str:
        return sent.get(f"step-{place}-{name}", "")

    if kind == "trim":
        return True
    if kind == "case":
        return value("to")
    if kind == "date":
        return {"formats": [line.strip() for line in value("formats").splitlines() if line.strip()]}
    if kind == "map":
        return {"values": _values(sent, place, old), "other": value("other")}
    if kind == "lookup":
        return _looked_up(value("source"), value("other"), value("default"))
    given: dict[str, Any] = {name: value(name) for name in KINDS[kind][1]}
    for name in _NUMBERS.get(kind, ()):
        given[name] = number(given[name])
    if kind == "part" and given["length"] == "":
        del given["length"]
    if kind == "replace":
        given["regex"] = bool(value("regex"))
    return given


def chosen(table: str, column: str) -> str:
    """A table's column as the value of an option; no name contains a tab."""
    return f"{table}\t{column}"


def _looked_up(source: str, other: str, default: str) -> dict[str, Any]:
    table, _sign, column = source.partition("\t")
    given = {"table": table[:200], "other": other}
    if column:
        given["column"] = column[:200]
    if other == "default":
        given["default"] = default[:4000]
    return given


def _values(sent: QueryDict, place: int, old: Any) -> dict[str, str]:
    """The value map: values that the page shows as sent, the others as stored."""
    stored = old.get("values", {}) if isinstance(old, dict) else {}
    values = dict(stored)
    for at in range(1_000):
        spelling = sent.get(f"found-{place}-{at}")
        if spelling is None:
            break
        values.pop(spelling, None)
        if meant := sent.get(f"value-{place}-{at}", "").strip():
            values[spelling] = meant
    return values


def moved(steps: list[dict[str, Any]], do: str) -> list[dict[str, Any]]:
    """The steps after a button: up-2, down-2 or remove-2; unchanged for any other."""
    word, _sign, at = do.partition("-")
    if not (at.isascii() and at.isdigit() and int(at) < len(steps)):
        return steps
    place, changed = int(at), list(steps)
    if word == "remove":
        del changed[place]
    target = place + {"up": -1, "down": 1}.get(word, 0)
    if word in ("up", "down") and 0 <= target < len(steps):
        changed[place], changed[target] = changed[target], changed[place]
    return changed
