"""One line of an arrival's log: the decision about a file and its reason, a sentence."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime, tzinfo

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MAX_SHOWN = 120


class Verdict(enum.StrEnum):
    """What was decided; stable, so that pages and scripts may test it."""

    WAITING_FOR_MANIFEST = "waiting_for_manifest"
    IN_PROGRESS = "in_progress"
    TEMPORARY = "temporary"
    HIDDEN = "hidden"
    RESULT = "result"
    IGNORED = "ignored"
    UNNAMED_MANIFEST = "unnamed_manifest"
    ALMOST_MANIFEST = "almost_manifest"
    MANIFEST_IS_FOLDER = "manifest_is_folder"
    NAME_TOO_LONG = "name_too_long"
    NOT_CLAIMED = "not_claimed"
    PROCESSING = "processing"
    PROCESSING_STALE = "processing_stale"
    INVALID_SCHEMA = "invalid_schema"
    INVALID_FILES = "invalid_files"
    CONFIGURATION_MISSING = "configuration_missing"
    CONFIGURATION_RETRY = "configuration_retry"
    UNMATCHED = "unmatched"
    NOT_YET_STABLE = "not_yet_stable"
    TAKEN_BEFORE = "taken_before"
    NEAR_MISS = "near_miss"
    NAME_NOT_TEXT = "name_not_text"
    REPLACED = "replaced"
    UPLOAD_OPEN = "upload_open"


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """Why a file was, or was not, picked up.

    subject: the file's name in its folder, exactly. verdict: a short stable code (`Verdict` for
    the arrival protocols). reason: a sentence for the sender and the data manager: what was
    found, and what to do; safe to print.
    """

    subject: str
    verdict: str
    reason: str


def shown(name: str) -> str:
    """Make a foreign name safe to show: nothing hides, reorders or breaks text; 120 characters."""
    visible = _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", name)
    return visible if len(visible) <= _MAX_SHOWN else visible[: _MAX_SHOWN - 1] + "…"


def minute(moment: datetime, zone: tzinfo | None) -> str:
    """Write a moment for a sentence: to the minute, in that zone, which is named."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone or 'UTC'}"
