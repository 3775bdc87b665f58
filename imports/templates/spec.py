"""The face of a template's spec: parse, write, compare, draft. Pure."""

from imports.templates.definitions import (
    BadSpec,
    BlankRule,
    FieldSpec,
    LimitsPer,
    Missing,
    OwnField,
    Reading,
    Settings,
    Spec,
    Unknown,
)
from imports.templates.differences import Change, described, diff, source
from imports.templates.drafting import from_mapping
from imports.templates.parsing import as_json, parse
from imports.templates.yaml_form import Exported, dump_yaml, load_yaml

__all__ = [
    "BadSpec",
    "BlankRule",
    "Change",
    "Exported",
    "FieldSpec",
    "LimitsPer",
    "Missing",
    "OwnField",
    "Reading",
    "Settings",
    "Spec",
    "Unknown",
    "as_json",
    "described",
    "diff",
    "dump_yaml",
    "from_mapping",
    "load_yaml",
    "parse",
    "source",
]
