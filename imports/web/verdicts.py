"""Verdicts of the arrival protocols in a few words for a list, which shows the reason beside."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

LABELS = {
    "misplaced": _("Misplaced"),
    "waiting_for_manifest": _("Waiting for its manifest"),
    "in_progress": _("Being uploaded"),
    "temporary": _("Temporary name"),
    "hidden": _("Hidden file"),
    "result": _("Result file"),
    "ignored": _("Ignored"),
    "unnamed_manifest": _("Manifest without a name"),
    "almost_manifest": _("Almost a manifest"),
    "manifest_is_folder": _("Folder, not a manifest"),
    "name_too_long": _("Name too long"),
    "processing": _("Being processed"),
    "processing_stale": _("Left unfinished"),
    "invalid_schema": _("Manifest not valid"),
    "invalid_files": _("Invalid references"),
    "configuration_missing": _("Configuration missing"),
    "configuration_retry": _("Configuration retried"),
    "unmatched": _("No matching template"),
    "not_yet_stable": _("Just arrived"),
    "taken_before": _("Already imported"),
    "near_miss": _("Similar name"),
    "name_not_text": _("Unreadable name"),
    "replaced": _("Replaced before it was picked up"),
    "upload_open": _("Waiting for an upload"),
}

# The problems of a delivery's files: the manifest's INVALID values, and ours.
PROBLEMS = {
    "FileNotFound": _("The file is not there"),
    "ChecksumMismatch": _("The checksum does not match"),
    "BadName": _("The name cannot be used"),
    "BadChecksum": _("The checksum is not valid"),
    "Duplicate": _("Named twice"),
    "FileChanged": _("Changed while being collected"),
}


def problem(value: str) -> str:
    """A file's problem in words."""
    words = PROBLEMS.get(value)
    return str(words) if words else label(value)


def label(verdict: str) -> str:
    """The verdict in words; any other one is shown readably."""
    words = LABELS.get(verdict)
    return str(words) if words else verdict.replace("_", " ").strip().capitalize()
