"""The face of a template's spec: parse, write, compare, draft. Pure."""

from imports.mapping.definitions import (
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
from imports.mapping.differences import (
    Change,
    described,
    diff,
    reading_words,
    settings_words,
    source,
)
from imports.mapping.drafting import from_mapping
from imports.mapping.parsing import as_json, parse
from imports.mapping.yaml_form import Exported, dump_yaml, load_yaml

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
    "reading_words",
    "settings_words",
    "source",
]
