"""The template protocol: which files of an account's home a template names, and why others wait.

A pure rule over a listing and a clock (seed 003, design.md section 6): the exact, case-sensitive
name of one of the account's templates, extension included, and the file is stable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from imports.arrivals.decisions import DecisionEntry, Verdict, shown
from imports.arrivals.kinds import HIDDEN, LEFTOVER, TEMPORARY, Kind
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.names import (
    corrected_name,
    data_name,
    errors_name,
    in_form_c,
    is_result,
    result_name,
)
from imports.arrivals.near import NearMiss, near_misses
from portal.dropserver.paths import MAX_NAME_BYTES


@dataclass(frozen=True, slots=True)
class Match:
    """A stable file that a template names. template: its id."""

    entry: Entry
    template: int


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A stable file that no template names. reason: what was found and what to do, sentences."""

    entry: Entry
    near: tuple[NearMiss, ...]
    reason: str


@dataclass(slots=True)
class TemplateDetection:
    """The result for one listing of a home, in order of name.

    matches: to be imported now. unmatched: to be shown to people. decisions: one for every visible
    file that is not in matches, the unmatched ones included.
    """

    matches: list[Match] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    decisions: list[DecisionEntry] = field(default_factory=list)


def detect(
    listing: Listing,
    now: datetime,
    names: Mapping[str, int],
    quiet: timedelta,
    elsewhere: Mapping[str, str] | None = None,
    sent: Collection[str] = (),
) -> TemplateDetection:
    """Decide about every file of a home at the moment `now` (aware).

    names: exact file name to the id of the account's template. quiet: how long a file must have
    been neither written nor renamed; the drop server shows closed files only. elsewhere: see
    `near_misses`. sent: error attachments that the sender has put there: they bring corrected
    rows of the file that they are named after, and are imported by its template. Folders are not
    files and get no decision.
    """
    detection = TemplateDetection()
    composed = {in_form_c(name): template for name, template in names.items()}
    for entry in listing:
        if entry.is_dir:
            continue
        template = _template(entry.name, names, composed, sent)
        if decision := _left_alone(entry, names, sent) or _unstable(entry, now, quiet):
            detection.decisions.append(decision)
        elif template is not None:
            detection.matches.append(Match(entry, template))
        else:
            unmatched = _unmatched(entry, names, elsewhere)
            detection.unmatched.append(unmatched)
            decision = DecisionEntry(entry.name, Verdict.UNMATCHED, unmatched.reason)
            detection.decisions.append(decision)
    return detection


def _template(
    name: str, names: Mapping[str, int], composed: Mapping[str, int], sent: Collection[str]
) -> int | None:
    """The template of that name; of an attachment that was sent, of the name it is called after."""
    template = names.get(name, composed.get(in_form_c(name)))
    if template is None and name in sent:
        return composed.get(in_form_c(corrected_name(name)))
    return template


def _left_alone(
    entry: Entry, names: Mapping[str, int], sent: Collection[str]
) -> DecisionEntry | None:
    """Why the file is not a delivery, whatever templates there are; None where it may be one."""
    name = entry.name
    for verdict, applies, reason in _KINDS:
        taken_anyway = (verdict == Verdict.IGNORED and name in names) or (
            verdict == Verdict.RESULT and name in sent
        )
        if applies(name) and not taken_anyway:
            return DecisionEntry(name, verdict, reason.format(name=shown(name)))
    return None


def _unstable(entry: Entry, now: datetime, quiet: timedelta) -> DecisionEntry | None:
    # A file that was copied in by other means may have a time far ahead: it must not wait for it.
    if abs(now - entry.changed) >= quiet:
        return None
    reason = (
        f"{shown(entry.name)} has just arrived. It is picked up once it has stopped "
        "changing for a moment."
    )
    return DecisionEntry(entry.name, Verdict.NOT_YET_STABLE, reason)


def _unmatched(
    entry: Entry, names: Mapping[str, int], elsewhere: Mapping[str, str] | None
) -> Unmatched:
    near = near_misses(entry.name, names, elsewhere)
    name = shown(entry.name)
    facts = " ".join([f"No import template has the file name {name}.", *(n.reason for n in near)])
    advice = (
        "Send it under a name that a template has, or ask a tenant admin of your institution "
        "to create a template from it in the portal. Names must match exactly, including the "
        "extension."
    )
    return Unmatched(entry, near, f"{facts} {advice}")


def _is_no_text(name: str) -> bool:
    """Return whether the name's bytes are not UTF-8: it can be neither compared nor stored."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _is_too_long(name: str) -> bool:
    longest = max(result_name(name), data_name(name), errors_name(name), key=len)
    return len(longest.encode(errors="surrogateescape")) > MAX_NAME_BYTES


_KINDS: tuple[Kind, ...] = (
    (
        Verdict.NAME_NOT_TEXT,
        _is_no_text,
        "The name {name} is not UTF-8. Set your client to UTF-8 file names and send "
        "the file again.",
    ),
    HIDDEN,
    TEMPORARY,
    (
        Verdict.RESULT,
        is_result,
        "{name} was written by the portal for the sender. Correct the rows of an error attachment "
        "and send it under its own name.",
    ),
    (
        Verdict.NAME_TOO_LONG,
        _is_too_long,
        "The name {name} is too long: the portal writes its result next to the file, "
        "under the same name plus an extension. Send it again under a shorter name.",
    ),
    LEFTOVER,
)
