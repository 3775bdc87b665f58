"""The content of a manifest: its references and what may be wrong with one.

`docs/manifest.xsd` describes the published form; what is read is laxer (`reading`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Problem(enum.StrEnum):
    """Why a reference is invalid; the value is what the INVALID attribute shows the sender.

    The first two are the seed's; the others make its silent cases visible.
    """

    FILE_NOT_FOUND = "FileNotFound"  # no file of exactly that name in the manifest's folder
    CHECKSUM_MISMATCH = "ChecksumMismatch"  # the MD5 of the file is another
    BAD_NAME = "BadName"  # a path, a hidden or unusable name, a manifest, a state of one
    BAD_CHECKSUM = "BadChecksum"  # checksum and hash type contradict each other
    DUPLICATE = "Duplicate"  # the same name stands in an earlier line of this manifest
    FILE_CHANGED = "FileChanged"  # replaced or still written while the portal copied it


@dataclass(frozen=True, slots=True)
class Reference:
    """One `file` element.

    index: 0 is the first `file` element of the document. name: exactly as written. checksum and
    hash_type: trimmed and in lower case, "" where absent. problem: what is wrong with the line
    itself, before any file is looked at.
    """

    index: int
    name: str
    checksum: str = ""
    hash_type: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A readable manifest: at least one reference, in document order."""

    references: tuple[Reference, ...]


class InvalidSchema(Exception):
    """The document is not a manifest: it becomes `*.INVALIDSCHEMA`, nothing it names is processed.

    reason: sentences for the sender: what was found, what was expected, what to do.
    line: physical line in the manifest, 1 is the first; None where no line is to blame.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"Line {line}: {reason}")
        self.reason = reason
        self.line = line
