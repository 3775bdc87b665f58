"""What a sender may do to a name: the rules of design.md section 6, as sentences of refusal.

Pure. A rule answers None for "yes" or the words for the sender. Seed 001: an institution "will
have write access to their directories but will not be able to alter existing directories or create
new ones". Renaming and removing one's own unclaimed upload is allowed beyond the seed, because
WinSCP and lftp upload to a temporary name and WinSCP removes the file that it replaces. The same
holds in the home of a template account (seed 003): a temporary name gets its final one, and an own
file is renamed or removed; that is also how a sender mends a name that matches no template.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from portal.dropserver.paths import Path, shown

NO_NEW_FOLDERS = "Only the portal creates folders. Upload to one of the existing folders."
NO_FOLDER_REMOVAL = "Folders belong to the portal and cannot be renamed or removed."
NO_LINKS = "Links are not supported."

# Below it each template account has its home, which it sees as its root.
HOMES = "homes"

CLAIMED_SUFFIX = ".PROCESSING"
STATE_SUFFIXES = (
    CLAIMED_SUFFIX,
    ".INVALIDSCHEMA",
    ".CONTAINSINVALIDFILES",
    ".IMPORTCONFIGMISSING",
)


class Protocol(enum.StrEnum):
    """The arrival protocol of a drop (design.md section 6)."""

    MANIFEST = "manifest"
    EPOCH = "epoch"
    TEMPLATE = "template"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose an existing file is. owner: the account that uploaded it, None if the portal made it.

    A manifest that is taken up gets another name (`CLAIMED_SUFFIX`), so its claim shows there; its
    data files are read from a snapshot, so replacing one meanwhile harms nothing.
    """

    owner: int | None = None


def refusal_of_place(home: Path, path: Path) -> str | None:
    """Why an account may not change anything at a path. home: empty for the whole tree.

    Files of a home are taken for its account's (seed 003: templates are account-specific), so
    nobody else may put one there.
    """
    if home or not path or path[0].casefold() != HOMES:
        return None
    return f"The folders below {shown((HOMES,))} belong to accounts of their own."


def refusal_to_upload(name: str, existing: Standing | None, account: int) -> str | None:
    """Why an account may not write a name. existing: what has the name now, None for nothing."""
    if is_state_file(name):
        return f"Names ending in {_suffix(name)} are reserved for the portal."
    return None if existing is None else _refusal_to_touch(name, existing, account)


def refusal_to_rename(
    old: str, standing: Standing, new: str, target: Standing | None, account: int
) -> str | None:
    """Why an account may not rename its file old to new. target: what has the new name now."""
    return _refusal_to_touch(old, standing, account) or refusal_to_upload(new, target, account)


def refusal_to_remove(name: str, standing: Standing, account: int) -> str | None:
    """Why an account may not remove a file. What the portal left to be read may go."""
    if _suffix(name) == CLAIMED_SUFFIX:
        return f"{name} is being processed."
    if standing.owner is None:
        return None
    return _refusal_to_touch(name, standing, account)


def is_state_file(name: str) -> bool:
    """Whether the name carries one of the states that a manifest goes through."""
    return _suffix(name) != ""


def _refusal_to_touch(name: str, standing: Standing, account: int) -> str | None:
    if is_state_file(name) or standing.owner is None:
        return f"{name} was created by the portal. You can read or remove it, but not change it."
    if standing.owner != account:
        return f"{name} belongs to another account."
    return None


def _suffix(name: str) -> str:
    folded = name.upper()
    return next((suffix for suffix in STATE_SUFFIXES if folded.endswith(suffix)), "")
