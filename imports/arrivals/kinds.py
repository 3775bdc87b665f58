"""Names that no protocol takes for data: the verdict, the rule and the reason. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from imports.arrivals.decisions import Verdict
from imports.arrivals.names import is_hidden, is_leftover, is_temporary

# The verdict, the names that it applies to, and the reason with a placeholder for the name.
Kind: TypeAlias = tuple[Verdict, Callable[[str], bool], str]

HIDDEN: Kind = (
    Verdict.HIDDEN,
    is_hidden,
    "{name} begins with a dot: hidden files and unfinished uploads are ignored.",
)
TEMPORARY: Kind = (
    Verdict.TEMPORARY,
    is_temporary,
    "{name} has the name of an unfinished upload. It is checked once the client "
    "has renamed it. If the upload was interrupted, send the file again.",
)
LEFTOVER: Kind = (
    Verdict.IGNORED,
    is_leftover,
    "{name} is a leftover of an editor or an operating system and is ignored.",
)
