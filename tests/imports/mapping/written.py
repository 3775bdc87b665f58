"""A template as a person would write it, for the tests."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

FULL: dict[str, Any] = {
    "version": 1,
    "reading": {
        "encoding": "cp1252",
        "delimiter": "tab",
        "quote": "'",
        "header_row": 2,
        "skip_rows": 3,
        "skip_last": 1,
        "sheet": "Students",
    },
    "columns": ["ID", "First", "Middle", "Last", "Mail", "Sex", "Born", "Fee"],
    "fields": {
        "Id": {"columns": ["ID"], "steps": [{"pad": {"width": 6, "with": "0", "side": "left"}}]},
        "Name": {"columns": ["First", "Middle", "Last"], "steps": [{"join": " "}, {"trim": True}]},
        "Email": {
            "columns": ["Mail", "ID"],
            "steps": [
                {"first_non_blank": True},
                {"case": "lower"},
                {"replace": {"find": "(at)", "with": "@", "regex": False}},
            ],
        },
        "Sex": {
            "columns": ["Sex"],
            "steps": [{"map": {"values": {"M": "Male", "F": "Female"}, "other": "blank"}}],
            "default": "Unknown",
        },
        "Born": {"columns": ["Born"], "steps": [{"date": {"formats": ["%d.%m.%Y", "%Y%m%d"]}}]},
        "Fee": {
            "columns": ["Fee"],
            "steps": [
                {"split": {"on": " ", "part": 1}},
                {"part": {"from": 1, "length": 12}},
                {"number": {"decimal": ",", "thousands": "."}},
            ],
        },
        "School": {
            "columns": ["ID"],
            "steps": [{"part": {"from": 1}}, {"lookup": {"table": "schools", "other": "reject"}}],
        },
        "Country": {"constant": "MX"},
    },
    "own_fields": [{"name": "Locker", "type": "integer", "label": "Number of the locker"}],
    "settings": {
        "operation": "mirror",
        "absent_scope": "School",
        "blank": "default",
        "unknown_columns": "hold",
        "missing_columns": "hold",
        "limits": {"removes": "5.5%", "creates": 100},
        "limits_per": {"field": "School", "limits": {"removes": 20}},
        "mail": True,
        "keep_days": 30,
    },
}


def small(**changes: Any) -> dict[str, Any]:
    """A minimal spec with changes at the top level."""
    base = {"version": 1, "columns": ["A", "B"], "fields": {"Id": {"columns": ["A"]}}}
    return {**deepcopy(base), **changes}


def stepped(*steps: Any) -> dict[str, Any]:
    """A minimal spec whose only field has these steps."""
    return small(fields={"Id": {"columns": ["A"], "steps": list(steps)}})
