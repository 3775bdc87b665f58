"""Compare each line of a manifest with the folder: exists, then checksum (seed 001, state 3).

Pure: the folder is a listing, and the MD5 of a file comes from a function of the caller.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

from imports.arrivals.decisions import shown
from imports.arrivals.listing import Entry, Listing
from imports.manifest.reading import bad_checksum, bad_name
from imports.manifest.schema import Manifest, Problem, Reference

_OF_NAME = {Problem.BAD_NAME, Problem.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Resolution:
    """The outcome for one reference.

    entry: the file it means, also where its checksum is wrong; None if there is none.
    problem: None if the file may go on to the configuration. reason: sentences for the sender.
    """

    reference: Reference
    entry: Entry | None
    problem: Problem | None
    reason: str


def resolve(
    manifest: Manifest, listing: Listing, digest: Callable[[Entry], str]
) -> list[Resolution]:
    """Resolve each reference, in the manifest's order.

    digest: returns the MD5 of a file as hexadecimal digits, in any case; it is called only where
    the line has a checksum. It may raise FileNotFoundError for a file that is gone meanwhile; other
    errors are the portal's own and are passed on.
    """
    names = set[str]()
    return [
        _resolve(_spelled(reference, listing, names), listing, digest)
        for reference in manifest.references
    ]


def _spelled(reference: Reference, listing: Listing, names: set[str]) -> Reference:
    """The reference with the file's own spelling; a duplicate where an earlier line named it.

    names: of the files that earlier lines named; this line's is added.
    """
    entry = listing.named(reference.name)
    if reference.problem in _OF_NAME or entry is None:
        return reference
    problem = Problem.DUPLICATE if entry.name in names else reference.problem
    names.add(entry.name)
    return replace(reference, name=entry.name, problem=problem)


def _resolve(reference: Reference, listing: Listing, digest: Callable[[Entry], str]) -> Resolution:
    name = shown(reference.name)
    if reference.problem is Problem.BAD_NAME:
        facts = " ".join(bad_name(reference.name))
        reason = f"{name} cannot be used. {facts}" if reference.name.strip() else facts
        return Resolution(reference, None, Problem.BAD_NAME, reason)
    if reference.problem is Problem.DUPLICATE:
        reason = f"{name} is named in an earlier line of this manifest; only that line is used."
        return Resolution(reference, None, Problem.DUPLICATE, reason)
    entry = listing.by_name.get(reference.name)
    if entry is None or entry.is_dir:
        return _not_found(reference, listing)
    if reference.problem is not None:
        reason = " ".join(bad_checksum(reference.checksum, reference.hash_type))
        return Resolution(reference, entry, reference.problem, f"{name}: {reason}")
    if not reference.checksum:
        return Resolution(
            reference, entry, None, f"{name} is there. The manifest has no checksum for it."
        )
    try:
        return compare(reference, entry, digest(entry))
    except FileNotFoundError:
        return _not_found(reference, Listing())


def compare(reference: Reference, entry: Entry, md5: str) -> Resolution:
    """Compare the line's checksum with the file's MD5, without case.

    The copy that is processed is compared too: the imported bytes must be those that the manifest
    means (reliability.md A10).
    """
    name = shown(reference.name)
    if md5.lower() == reference.checksum.lower():
        return Resolution(
            reference, entry, None, f"{name} is there, and its MD5 matches the manifest."
        )
    reason = (
        f"The MD5 of {name} ({entry.size:,} bytes) is {md5.lower()}, but the "
        f"manifest says {reference.checksum}. The file was changed or damaged in "
        "transit, or the checksum belongs to another file. Send the file and a new "
        "manifest again."
    )
    return Resolution(reference, entry, Problem.CHECKSUM_MISMATCH, reason)


def _not_found(reference: Reference, listing: Listing) -> Resolution:
    name = shown(reference.name)
    entry = listing.by_name.get(reference.name)
    near = sorted(
        other.name
        for other in listing
        if not other.is_dir and _folded(other.name) == _folded(reference.name)
    )
    if entry is not None and entry.is_dir:
        fact = f"{name} is a folder, not a file."
    elif near:
        fact = (
            f"There is no file {name} in this folder, but "
            f"{', '.join(map(shown, near))}: names must match exactly, including case "
            "and spaces."
        )
    else:
        fact = f"There is no file {name} in this folder."
    todo = " Send the file first, then a new manifest that names it exactly."
    return Resolution(reference, None, Problem.FILE_NOT_FOUND, fact + todo)


def _folded(name: str) -> str:
    """Return a name without differences that people overlook: case, blanks, forms of accents."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
