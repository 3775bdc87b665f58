"""Finds files that lie where nothing is imported; seed 001 calls that an error.

Pure: a tree of listings in, sentences out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from imports.arrivals.decisions import shown
from imports.arrivals.listing import Listing
from imports.arrivals.names import is_hidden, is_leftover, is_result, is_temporary
from imports.manifest.states import is_manifest, parse_state

_ALIKE = 0.7


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A file in a folder that feeds nothing. path: from the account's root, without a leading /."""

    path: str
    reason: str


def find(tree: Mapping[str, Listing], drops: Collection[str]) -> list[Misplaced]:
    """The misplaced files in order of path.

    tree: listings by folder, "" or "/" is the root. drops: the folders that feed something, in
    the same notation. What the portal writes itself, hidden files, unfinished uploads and leftovers
    are no deliveries and are left out, and so is everything below a hidden folder.
    """
    known = {_clean(drop) for drop in drops}
    misplaced = [
        Misplaced(str(folder / entry.name), _reason(folder, entry.name, known))
        for path, listing in tree.items()
        if (folder := _clean(path)) not in known and not any(map(is_hidden, folder.parts))
        for entry in listing
        if not entry.is_dir and _is_delivery(entry.name)
    ]
    return sorted(misplaced, key=lambda found: found.path)


def _clean(path: str) -> PurePosixPath:
    return PurePosixPath(path.strip("/"))


def _is_delivery(name: str) -> bool:
    if is_hidden(name) or is_temporary(name) or is_leftover(name):
        return False
    return not is_result(name) and parse_state(name) is None


def _reason(folder: PurePosixPath, name: str, drops: Collection[PurePosixPath]) -> str:
    place = f"the folder {shown(str(folder))}" if folder.parts else "the root folder"
    kind = "The manifest" if is_manifest(name) else "The file"
    found = f"{kind} {shown(name)} is in {place}, from which nothing is imported."
    if not drops:
        return f"{found} This account has no folder to import from; ask the portal's operator."
    nearest = shown(str(_nearest(folder, name, drops)))
    return (
        f"{found} Send it again into the folder of its kind, probably {nearest}, "
        "data file and manifest into the same one."
    )


def _nearest(folder: PurePosixPath, name: str, drops: Collection[PurePosixPath]) -> PurePosixPath:
    """The drop that the file's name speaks of, among equals the one with the fewest steps."""

    def distance(drop: PurePosixPath) -> tuple[float, int, str]:
        likeness = _likeness(name, drop)
        return (-likeness if likeness >= _ALIKE else 0.0, _steps(folder, drop), str(drop))

    return min(drops, key=distance)


def _likeness(name: str, drop: PurePosixPath) -> float:
    """How much the file's name is like one of the drop's folder names: 0 to 1."""
    stem = name.partition(".")[0].lower()
    return max(
        (SequenceMatcher(None, stem, part.lower()).ratio() for part in drop.parts), default=0.0
    )


def _steps(one: PurePosixPath, other: PurePosixPath) -> int:
    shared = 0
    for left, right in zip(one.parts, other.parts, strict=False):
        if left != right:
            break
        shared += 1
    return len(one.parts) + len(other.parts) - 2 * shared
