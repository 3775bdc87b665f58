"""Find files in folders from which nothing is imported; seed 001 calls that an error.

Pure: a tree of listings in, sentences out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import PurePosixPath

from imports.arrivals.decisions import shown
from imports.arrivals.listing import Listing
from imports.arrivals.names import is_hidden, is_leftover, is_result, is_temporary
from imports.manifest.states import is_manifest, parse_state

_ALIKE = 0.7


@dataclass(frozen=True, slots=True)
class MisplacedFile:
    """A file in a folder that feeds nothing. path: from the account's root, without a leading /."""

    path: str
    reason: str


def find(tree: Mapping[str, Listing], drops: Collection[str]) -> list[MisplacedFile]:
    """The misplaced files in order of path.

    tree: listings by folder, "" or "/" is the root. drops: the folders that feed something, in
    the same notation. What the portal writes itself, hidden files, unfinished uploads and leftovers
    are not deliveries and are left out, and so is everything below a hidden folder.
    """
    feeding = {_clean(drop) for drop in drops}
    misplaced = [
        MisplacedFile(str(folder / entry.name), _reason(folder, entry.name, feeding))
        for path, listing in tree.items()
        if (folder := _clean(path)) not in feeding and not any(map(is_hidden, folder.parts))
        for entry in listing
        if not entry.is_dir and _is_delivery(entry.name)
    ]
    return sorted(misplaced, key=lambda file: file.path)


def _clean(path: str) -> PurePosixPath:
    return PurePosixPath(path.strip("/"))


def _is_delivery(name: str) -> bool:
    if is_hidden(name) or is_temporary(name) or is_leftover(name):
        return False
    return not is_result(name) and parse_state(name) is None


def _reason(folder: PurePosixPath, name: str, drops: Collection[PurePosixPath]) -> str:
    place = f"the folder {shown(str(folder))}" if folder.parts else "the root folder"
    kind = "The manifest" if is_manifest(name) else "The file"
    fact = f"{kind} {shown(name)} is in {place}, which is not imported."
    if not drops:
        return f"{fact} This account has no folder to import from. Ask the portal's operator."
    nearest = _nearest(folder, name, drops)
    guess = f"probably {shown(str(nearest))}, " if nearest is not None else ""
    return (
        f"{fact} Send it again to the folder for its type, {guess}with the data "
        "file and the manifest in the same folder."
    )


def _nearest(
    folder: PurePosixPath, name: str, drops: Collection[PurePosixPath]
) -> PurePosixPath | None:
    """The drop whose name is most like the file's, else the one nearest its folder, if only one."""
    words = re.findall(r"[^\W\d_]+", name.partition(".")[0].lower())
    whole = ["".join(words)]

    def nearness(drop: PurePosixPath) -> tuple[float, float, float, int, int]:
        last = drop.parts[-1:]
        likenesses = _likeness(whole, last), _likeness(words, last), _likeness(words, drop.parts)
        return (*likenesses, _shared(folder, drop), -len(drop.parts))

    near = {drop: nearness(drop) for drop in drops}
    most = max(near.values())
    nearest = [drop for drop in drops if near[drop] == most]
    return nearest[0] if len(nearest) == 1 and any(most[:4]) else None


def _likeness(words: Collection[str], folders: Collection[str]) -> float:
    """The greatest likeness of a word to a folder's name: 0, or 0.7 to 1."""
    ratios = (_ratio(word, part.lower()) for word in words for part in folders)
    return max((ratio for ratio in ratios if ratio >= _ALIKE), default=0.0)


def _ratio(word: str, part: str) -> float:
    # Each round may compare thousands of files: words with another first letter are skipped.
    return SequenceMatcher(None, word, part).ratio() if word[:1] == part[:1] else 0.0


def _shared(folder: PurePosixPath, other: PurePosixPath) -> int:
    """The number of leading folders that both paths share."""
    pairs = zip(folder.parts, other.parts, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
