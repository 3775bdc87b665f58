"""A template's spec for the rest of imports: parse, write, compare, draft. Pure."""

from imports.mapping.definitions import (
    BadSpec,
    BlankRule,
    FieldSpec,
    LimitsPer,
    Missing,
    OwnField,
    ReadingOptions,
    Settings,
    Spec,
    Unknown,
)
from imports.mapping.differences import (
    Change,
    diff,
    reading_words,
    settings_words,
    source_words,
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
    "ReadingOptions",
    "Settings",
    "Spec",
    "Unknown",
    "as_json",
    "diff",
    "dump_yaml",
    "from_mapping",
    "load_yaml",
    "parse",
    "reading_words",
    "settings_words",
    "source_words",
]
