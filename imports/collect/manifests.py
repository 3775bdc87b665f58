"""Collecting a delivery: claim its manifest, check what it names, take snapshots, make the jobs.

The order is the seed's (001, "File Transmissions & Manifest"): claim by rename with a second
attempt, structure, then per file existence, checksum, configuration. Every step may be cut off and
done again: renames have one winner, arrivals and snapshots are UNIQUE, and the names in the folder
follow from the database (`imports/collect/write_back.py`).
"""

from __future__ import annotations

import hashlib
import os

from django.db import transaction
from django.db.models.functions import Now

from imports.arrivals.decisions import DecisionEntry, shown
from imports.arrivals.listing import Entry
from imports.arrivals.references import Resolution, resolve
from imports.collect import corrected, folders, snapshot
from imports.collect.copies import Copies
from imports.collect.deliveries import (
    ROUND,
    Folder,
    forget_copy,
    log_decision,
    save_unless_duplicate,
    uploader,
)
from imports.jobs import mail, making
from imports.manifest import (
    MOST_READ,
    InvalidSchema,
    Manifest,
    ManifestState,
    Problem,
    identity,
    parse,
    parse_state,
    state_name,
)
from imports.models import Arrival, ArrivalFile
from portal import lifecycle, logs
from portal.models import Drop
from portal.records.catalog import catalog
from portal.records.definitions import Feed

log = logs.get(__name__)
State = Arrival.State


def claim(folder: Folder, entry: Entry) -> str | None:
    """Rename a manifest to its PROCESSING name. Returns the name, or None: not this time.

    Tried twice, as the seed asks; then the round goes on to the next manifest.
    """
    for attempt in (1, 2):
        name = folder.free_name(state_name(entry.name, ManifestState.PROCESSING))
        try:
            folder.jail.rename(folder.file(entry.name), folder.file(name))
        except FileNotFoundError:
            return None  # another collector was first
        except OSError as exc:
            log.warning(
                "claim_failed",
                manifest=entry.name,
                drop_id=folder.drop.pk,
                attempt=attempt,
                error=repr(exc),
            )
            continue
        return name
    return None


def collect(folder: Folder, name: str) -> Arrival | None:
    """Take the claimed manifest `name` through to its jobs. None where another collector has it."""
    try:
        with folders.reading(folder.jail, folder.file(name)) as file:
            status = os.fstat(file.fileno())
            data = file.read(MOST_READ)
    except FileNotFoundError:
        return None
    arrival = _arrival(folder, name, status, data)
    if arrival is None:
        return None
    try:
        manifest = parse(data)
    except InvalidSchema as refused:
        _refuse(arrival, refused)
        return arrival
    _collect_files(folder, arrival, manifest)
    return arrival


def _arrival(folder: Folder, name: str, status: os.stat_result, data: bytes) -> Arrival | None:
    """The delivery's row under our lease; None where another collector holds it or it is done."""
    key = identity(
        str(folder.drop.pk),
        inode=status.st_ino,
        mtime_ns=status.st_mtime_ns,
        size=status.st_size,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    base = parse_state(name)
    sent = base[0] if base else name
    arrival, _ = Arrival.objects.get_or_create(
        tenant_id=folder.drop.tenant_id,
        identity=key,
        defaults={
            "drop": folder.drop,
            "name": sent,
            "current_name": name,
            "account_id": uploader(folder, sent),
        },
    )
    free = Arrival.objects.filter(
        pk=arrival.pk, state__in=[State.COLLECTING, State.CONFIG_MISSING]
    ).exclude(lease_until__gt=Now())
    claimed = lifecycle.claim(free, owner=lifecycle.owner(), state=State.COLLECTING)
    if claimed is None:
        return None
    if claimed.token > 1:
        snapshot.keep_only(_storage(claimed), claimed.token)
    if claimed.current_name != name:
        Arrival.objects.filter(pk=claimed.pk).update(current_name=name)
        claimed.current_name = name
    return claimed


def _storage(arrival: Arrival) -> str:
    """The folder in storage for the delivery's copies."""
    return f"arrivals/{arrival.tenant_id}/{arrival.uid}"


def _refuse(arrival: Arrival, refused: InvalidSchema) -> None:
    with transaction.atomic():
        log_decision(arrival, DecisionEntry(arrival.name, "invalid_schema", str(refused)))
        title = f"{shown(arrival.name)} is not a manifest that can be read"
        mail.not_taken(arrival, title, str(refused))
        lifecycle.advance(
            arrival, to=State.INVALID_SCHEMA, allowed=[State.COLLECTING], **lifecycle.released()
        )


def _collect_files(folder: Folder, arrival: Arrival, manifest: Manifest) -> None:
    feed = _configuration(folder.drop)
    try:
        if feed is None and _has_good(folder, manifest):
            _without_configuration(folder, arrival)
        else:
            _copy_and_take(folder, arrival, manifest, feed)
    except lifecycle.LeaseLost as lost:
        log.warning("delivery_taken_over", arrival_id=arrival.pk, reason=str(lost))


def _has_good(folder: Folder, manifest: Manifest) -> bool:
    """Whether a reference waits for the configuration: nothing is copied before there is one."""

    def digest(entry: Entry) -> str:
        return snapshot.md5_of(folder.jail, folder.file(entry.name))

    return any(
        resolution.problem is None for resolution in resolve(manifest, folder.listing(), digest)
    )


def _copy_and_take(folder: Folder, arrival: Arrival, manifest: Manifest, feed: Feed | None) -> None:
    """Raises LeaseLost."""
    copies = Copies(folder, f"{_storage(arrival)}/{arrival.token}")
    resolutions = resolve(manifest, folder.listing(), copies.digest)
    for resolution in resolutions:
        if resolution.problem is None and resolution.entry:
            copies.take(resolution.entry)
    judged = [_judged(resolution, copies) for resolution in resolutions]
    try:
        if feed is None and any(resolution.problem is None for resolution in judged):
            copies.discard()
            _without_configuration(folder, arrival)
        else:
            _take_all(folder, arrival, judged, copies, feed)
    except lifecycle.LeaseLost:
        copies.discard()
        raise


def _take_all(
    folder: Folder,
    arrival: Arrival,
    judged: list[Resolution],
    copies: Copies,
    feed: Feed | None,
) -> None:
    """Rows and jobs of all references in one transaction. Raises LeaseLost."""
    with transaction.atomic():
        lifecycle.fence(arrival)
        for resolution in judged:
            _take(folder, arrival, resolution, copies, feed)
        _notify_of_invalid_lines(arrival, judged)
        lifecycle.advance(
            arrival, to=State.PROCESSING, allowed=[State.COLLECTING], **lifecycle.released()
        )


def _notify_of_invalid_lines(arrival: Arrival, judged: list[Resolution]) -> None:
    reasons = [resolution.reason for resolution in judged if resolution.problem is not None]
    if reasons:
        count = f"{len(reasons):,} of its {len(judged):,} lines"
        mail.not_taken(arrival, f"{shown(arrival.name)}: {count} not valid", " ".join(reasons))


def _judged(resolution: Resolution, copies: Copies) -> Resolution:
    """The resolution after copying: a file that changed meanwhile is an invalid reference."""
    name = resolution.reference.name
    if name in copies.changed:
        reason = (
            f"{shown(name)} was changed while it was being collected. Send the file "
            "again, and send its manifest after the upload has finished."
        )
        return Resolution(resolution.reference, resolution.entry, Problem.FILE_CHANGED, reason)
    if resolution.problem is None and name not in copies.taken:
        reason = f"{shown(name)} was removed while it was being collected. Send it again."
        return Resolution(resolution.reference, resolution.entry, Problem.FILE_NOT_FOUND, reason)
    return resolution


def _configuration(drop: Drop) -> Feed | None:
    """The feed of the folder; None where the catalog does not have it."""
    try:
        return catalog().feed(drop.feed)
    except KeyError:
        return None


def _without_configuration(folder: Folder, arrival: Arrival) -> None:
    log.error("configuration_missing", drop_id=folder.drop.pk, feed=folder.drop.feed)
    reason = (
        "This folder has no import configuration. The operator has been notified, "
        "and the portal retries every few minutes. You do not need to send anything "
        "again."
    )
    with transaction.atomic():
        log_decision(arrival, DecisionEntry(arrival.name, "configuration_missing", reason))
        mail.configuration_missing(arrival)
        lifecycle.advance(
            arrival, to=State.CONFIG_MISSING, allowed=[State.COLLECTING], **lifecycle.released()
        )


def _take(
    folder: Folder,
    arrival: Arrival,
    resolution: Resolution,
    copies: Copies,
    feed: Feed | None,
) -> None:
    """One reference becomes a row, and a job where it is good and not taken already."""
    name = resolution.reference.name
    # The copy belongs to the line that named the file first.
    copy = None if resolution.problem is Problem.DUPLICATE else copies.taken.get(name)
    row = ArrivalFile(
        tenant_id=arrival.tenant_id,
        arrival=arrival,
        index=resolution.reference.index,
        name=name[:300],
        problem=resolution.problem or "",
        reason=resolution.reason,
    )
    if copy is not None:
        row.size, row.md5, row.sha256 = copy.size, copy.md5, copy.sha256
        row.source, row.content = copy.source, copy.content
    if resolution.problem is not None or copy is None or feed is None:
        forget_copy(row)
        row.save()
        log_decision(arrival, DecisionEntry(name, str(resolution.problem), resolution.reason))
        return
    if save_unless_duplicate(row):
        log_decision(arrival, DecisionEntry(name, "accepted", resolution.reason))
        named = f"Named by {row.arrival.name}."
        correction = corrected.columns(row, feed, None)
        making.for_arrival(row, feed, named, wait=ROUND, **correction)
    else:
        log_decision(arrival, DecisionEntry(name, "duplicate", row.reason))
