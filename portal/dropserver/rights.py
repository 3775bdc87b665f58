"""What a sender may do with a name: the rules of design.md section 6, as sentences of refusal.

Pure. A rule returns None for "yes", or the sentence for the sender. Seed 001: an institution "will
have write access to their directories but will not be able to alter existing directories or create
new ones". Renaming and removing one's own unclaimed upload is allowed beyond the seed, because
WinSCP and lftp upload to a temporary name and WinSCP removes the file that it replaces. The same
holds in the home of a template account (seed 003): a temporary name gets its final one, and an
account renames or removes its own files; so a sender corrects a name that matches no template.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from portal.dropserver.paths import Path, shown

NO_NEW_FOLDERS = "Only the portal creates folders. Upload to one of the existing folders."
NO_FOLDER_REMOVAL = "Folders belong to the portal and cannot be renamed or removed."
NO_LINKS = "Links are not supported."

# What the portal appends to a file's name for the rows that it rejected; the sender corrects them
# and puts the file back under this very name.
ERRORS_ENDING = ".errors.csv"

# Below it each template account has its home, which it sees as its root.
HOMES = "homes"


class ManifestState(enum.StrEnum):
    """What the last extension of a manifest's name tells the sender (seed 001).

    Only the portal gives it; `imports.manifest` says how.
    """

    PROCESSING = "PROCESSING"  # claimed: the import of its files has begun
    INVALIDSCHEMA = "INVALIDSCHEMA"  # not a readable manifest
    CONTAINSINVALIDFILES = "CONTAINSINVALIDFILES"  # see its INVALID attributes
    IMPORTCONFIGMISSING = "IMPORTCONFIGMISSING"  # our configuration is at fault; tried again


CLAIMED_SUFFIX = f".{ManifestState.PROCESSING}"
STATE_SUFFIXES = tuple(f".{state}" for state in ManifestState)


class ArrivalProtocol(enum.StrEnum):
    """The arrival protocol of a drop (design.md section 6)."""

    MANIFEST = "manifest"
    EPOCH = "epoch"
    TEMPLATE = "template"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner of an existing file: the account that uploaded it, None if the portal made it.

    A claimed manifest gets another name (`CLAIMED_SUFFIX`), so the name shows the claim; its data
    files are read from a snapshot, so replacing one meanwhile does no harm.
    source: which file was uploaded (`jail.source_of`), empty where that is not known: a file of
    that name that is another one now was made by the portal since.
    """

    owner: int | None = None
    source: str = ""

    def of_file(self, source: str) -> Ownership:
        """The owner of the file that has the name now."""
        return Ownership() if self.source and self.source != source else self


def refusal_of_place(home: Path, path: Path) -> str | None:
    """Why an account may not change anything at a path. home: empty for the whole tree.

    Files in a home count as files of its account (seed 003: templates are account-specific), so
    nobody else may put a file there.
    """
    if home or not path or path[0].casefold() != HOMES:
        return None
    return f"The folders below {shown((HOMES,))} belong to accounts of their own."


def refusal_to_upload(name: str, existing: Ownership | None, account: int) -> str | None:
    """Why an account may not write a name. existing: the file that has the name now.

    An error attachment of the portal's may be replaced: corrected, it comes back under its name.
    """
    if is_state_file(name):
        return f"Names ending in {_suffix(name)} are reserved for the portal."
    if existing is None or (existing.owner is None and name.endswith(ERRORS_ENDING)):
        return None
    return _refusal_to_touch(name, existing, account)


def refusal_to_rename(
    old: str, ownership: Ownership, new: str, target: Ownership | None, account: int
) -> str | None:
    """Why an account may not rename its file old to new. target: the file that has the new name."""
    return _refusal_to_touch(old, ownership, account) or refusal_to_upload(new, target, account)


def refusal_to_remove(name: str, ownership: Ownership, account: int) -> str | None:
    """Why an account may not remove a file. It may remove the portal's results."""
    if _suffix(name) == CLAIMED_SUFFIX:
        return f"{name} is being processed."
    if ownership.owner is None:
        return None
    return _refusal_to_touch(name, ownership, account)


def is_state_file(name: str) -> bool:
    """Whether the name carries one of the states that a manifest goes through."""
    return _suffix(name) != ""


def _refusal_to_touch(name: str, ownership: Ownership, account: int) -> str | None:
    if is_state_file(name) or ownership.owner is None:
        return f"{name} was created by the portal. You can read or remove it, but not change it."
    if ownership.owner != account:
        return f"{name} belongs to another account."
    return None


def _suffix(name: str) -> str:
    folded = name.upper()
    return next((suffix for suffix in STATE_SUFFIXES if folded.endswith(suffix)), "")
