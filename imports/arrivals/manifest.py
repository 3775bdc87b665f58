"""The manifest protocol: which manifests of a drop are ready, and why every other file waits.

A pure rule over a listing and a clock (seed 001, design.md section 6). Nothing in the folder is
ever processed unless a manifest names it, so each other visible file gets a decision.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from imports.arrivals.decisions import DecisionEntry, Verdict, minute, shown
from imports.arrivals.kinds import HIDDEN, LEFTOVER, TEMPORARY, Kind
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.names import is_hidden, is_result
from imports.manifest.states import free_name, is_manifest, parse_state, state_name
from portal.dropserver.paths import MAX_NAME_BYTES
from portal.dropserver.rights import ManifestState

RETRY_AFTER = timedelta(minutes=5)
LEASE = timedelta(minutes=5)

_ALMOST = re.compile(r".+\.done(?:\.[a-z0-9]{1,4}|[ _\-(].*)", re.I | re.DOTALL)
_LONGEST_STATE = max(ManifestState, key=len)


@dataclass(slots=True)
class ManifestDetection:
    """The result for one listing of a folder.

    claims: manifests to claim now, in order of name. retry: manifests in the state
    IMPORTCONFIGMISSING whose time has come. decisions: one for every visible file that is not in
    claims.
    """

    claims: list[Entry] = field(default_factory=list)
    retry: list[Entry] = field(default_factory=list)
    decisions: list[DecisionEntry] = field(default_factory=list)


def detect(
    listing: Listing,
    now: datetime,
    *,
    named: Collection[str] = (),
    sent: Collection[str] = (),
    retry_after: timedelta = RETRY_AFTER,
    lease: timedelta = LEASE,
) -> ManifestDetection:
    """Decide about every file of a drop at the moment `now` (aware).

    The moments in sentences are in the zone of `now`. named: data files that a manifest under way
    names; they are not waiting for one. sent: error attachments that a sender has put there.
    retry_after: how long a manifest rests in IMPORTCONFIGMISSING. lease: how long a claim holds.
    Folders are not files and get no decision, except one that is named like a manifest.
    """
    detection = ManifestDetection()
    for entry in listing:
        if entry.is_dir:
            _decide_about_folder(entry, detection)
        elif state := parse_state(entry.name):
            _decide_about_state(entry, state[1], now, detection, retry_after, lease)
        elif is_manifest(entry.name) and not is_hidden(entry.name):
            _claim_or_refuse(entry, detection)
        else:
            detection.decisions.append(_decision_about_file(entry, now, named, sent))
    return detection


def _decide_about_folder(entry: Entry, detection: ManifestDetection) -> None:
    if is_manifest(entry.name):
        detection.decisions.append(
            DecisionEntry(
                entry.name,
                Verdict.MANIFEST_IS_FOLDER,
                f"{shown(entry.name)} is a folder. A manifest must be a file; send it as a file.",
            )
        )


def _claim_or_refuse(entry: Entry, detection: ManifestDetection) -> None:
    longest = free_name(state_name(entry.name, _LONGEST_STATE), [])
    # A collision may add a number of a few digits.
    if len(longest.encode(errors="surrogateescape")) + 4 <= MAX_NAME_BYTES:
        detection.claims.append(entry)
        return
    detection.decisions.append(
        DecisionEntry(
            entry.name,
            Verdict.NAME_TOO_LONG,
            f"The name of the manifest {shown(entry.name)} is too long: the portal "
            "appends its state to the name. Send it again under a name of at most 200 "
            "characters.",
        )
    )


def _decide_about_state(
    entry: Entry,
    state: ManifestState,
    now: datetime,
    detection: ManifestDetection,
    retry_after: timedelta,
    lease: timedelta,
) -> None:
    age = now - entry.changed
    verdict, reason = _MEANING[state]
    if state is ManifestState.PROCESSING and age > lease:
        verdict = Verdict.PROCESSING_STALE
        reason = (
            "Its import started {since} and has not finished. The portal continues it "
            "automatically; you do not need to send anything again."
        )
    elif state is ManifestState.IMPORTCONFIGMISSING and age >= retry_after:
        detection.retry.append(entry)
        verdict = Verdict.CONFIGURATION_RETRY
        reason = (
            "The configuration of this folder could not be read {since}. It is being retried now."
        )
    sentence = reason.format(
        since=f"at {minute(entry.changed, now.tzinfo)}",
        retry=minute(now - age + retry_after, now.tzinfo),
    )
    detection.decisions.append(DecisionEntry(entry.name, verdict, sentence))


_MEANING: dict[ManifestState, tuple[Verdict, str]] = {
    ManifestState.PROCESSING: (
        Verdict.PROCESSING,
        "The portal picked up this manifest {since} and is processing the files it "
        "names. Please wait.",
    ),
    ManifestState.INVALIDSCHEMA: (
        Verdict.INVALID_SCHEMA,
        "This manifest was refused {since}: it is not a readable manifest, and none "
        "of its files were processed. Correct it and send it again with the "
        "extension .done.",
    ),
    ManifestState.CONTAINSINVALIDFILES: (
        Verdict.INVALID_FILES,
        "This manifest was finished {since} with lines that are not valid; the "
        "INVALID attribute of each says why. Any others were processed. Send "
        "the files of the marked lines again, with a new manifest.",
    ),
    ManifestState.IMPORTCONFIGMISSING: (
        Verdict.CONFIGURATION_MISSING,
        "The configuration of this folder could not be read {since}. The operator "
        "has been notified, and it is retried at {retry}. You do not need to send "
        "anything again.",
    ),
}


def _decision_about_file(
    entry: Entry, now: datetime, named: Collection[str], sent: Collection[str]
) -> DecisionEntry:
    name = shown(entry.name)
    if entry.name in named:
        return DecisionEntry(
            entry.name,
            Verdict.IN_PROGRESS,
            f"{name} is named by a manifest that is being processed.",
        )
    for verdict, applies, reason in _KINDS:
        if applies(entry.name) and not (verdict == Verdict.RESULT and entry.name in sent):
            return DecisionEntry(entry.name, verdict, reason.format(name=name))
    return DecisionEntry(
        entry.name,
        Verdict.WAITING_FOR_MANIFEST,
        f"{name} ({entry.size:,} bytes) has been here since "
        f"{minute(entry.written, now.tzinfo)} and is waiting for a manifest. Put a file "
        "with the extension .done that names it in this folder.",
    )


_KINDS: tuple[Kind, ...] = (
    (
        Verdict.UNNAMED_MANIFEST,
        lambda name: name.lower() == ".done",
        "{name} has an extension but no name, which makes it a hidden file. Send the manifest "
        "under a name such as accounts.done.",
    ),
    HIDDEN,
    TEMPORARY,
    (
        Verdict.RESULT,
        is_result,
        "{name} was written by the portal for the sender. To send a corrected error "
        "attachment, send it with a manifest that names it.",
    ),
    (
        Verdict.ALMOST_MANIFEST,
        lambda name: _ALMOST.fullmatch(name) is not None,
        "{name} looks like a manifest, but its name does not end in .done. Send it "
        "again under a name that ends in .done (some systems hide the last extension "
        "of a name).",
    ),
    LEFTOVER,
)
