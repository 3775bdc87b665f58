"""The successive names of a manifest: `accounts.done`, `accounts.done.PROCESSING`, … (seed 001).

The state is appended to the full name (design.md section 6) and always comes last, so that a
sender's script may look for `accounts.done*` as well as for `*.INVALIDSCHEMA`, whatever number a
collision added in between.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import count

from portal.dropserver.rights import ManifestState

_MANIFEST = re.compile(r".+\.[dD][oO][nN][eE]", re.DOTALL)


def is_manifest(name: str) -> bool:
    """Return whether the file name has the extension `.done`, in any case, after a stem."""
    return _MANIFEST.fullmatch(name) is not None


def parse_state(name: str) -> tuple[str, ManifestState] | None:
    """Return the manifest's original name and its state, or None if the name has no state.

    `accounts.done.PROCESSING` and `accounts.done.2.PROCESSING` both give `accounts.done`.
    """
    base, _, state = name.rpartition(".")
    if state not in ManifestState.__members__:
        return None
    head, _, number = base.rpartition(".")
    if number.isdecimal() and number.isascii() and is_manifest(head):
        base = head
    return (base, ManifestState(state)) if is_manifest(base) else None


def state_name(name: str, state: ManifestState) -> str:
    """The manifest's name in that state; it replaces the state that the name has already."""
    parsed = parse_state(name)
    base = parsed[0] if parsed else name
    return f"{base}.{state}"


def free_name(name: str, taken: Collection[str]) -> str:
    """Return the name itself, or the first one with a number before its extension that is free.

    `accounts.done.INVALIDSCHEMA`, then `accounts.done.2.INVALIDSCHEMA`, … The caller must still
    rename without overwriting: the listing behind `taken` may be old.
    """
    if name not in taken:
        return name
    base, dot, extension = name.rpartition(".")
    if not base:
        base, dot, extension = name, "", ""
    numbered = (f"{base}.{number}{dot}{extension}" for number in count(2))
    return next(candidate for candidate in numbered if candidate not in taken)
