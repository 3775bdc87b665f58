"""Collecting the files of a template account: each file that a template names is one delivery.

Seed 003: "the system will search existing templates that contain a file with a matching file name.
If a matching template is found, it is used to import the file." One that no template names becomes
a visible arrival, with a copy to make a template from; it stays in the folder and may match later,
when it is renamed or a template is made. Every step may be cut off and done again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from imports.arrivals.decisions import DecisionEntry, Verdict, shown
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.template import Match, TemplateDetection, Unmatched, detect
from imports.collect import (
    account_templates,
    corrected,
    receipt_files,
    recognise,
    replaced,
    snapshot,
    uploads,
)
from imports.collect.account_templates import AccountTemplates
from imports.collect.deliveries import ROUND, Folder, log_decision, save_unless_duplicate, uploader
from imports.collect.folders import source_of_entry
from imports.collect.sightings import Seen
from imports.collect.snapshot import ChangedWhileCopied, Snapshot
from imports.jobs import mail, making
from imports.manifest import identity
from imports.models import Arrival, ArrivalFile, ImportTemplate
from portal import lifecycle, logs
from portal.records.catalog import catalog
from portal.records.definitions import Feed

log = logs.get(__name__)
State = Arrival.State

_OPEN = (State.COLLECTING, State.UNMATCHED, State.CONFIG_MISSING)
_RETRY_AFTER = timedelta(minutes=5)

Decide = Callable[[Arrival, ArrivalFile], str]


def collect(folder: Folder) -> None:
    """Take the home's new files. A file that fails stops no other."""
    templates = account_templates.of_drop(folder.drop)
    replaced.record(folder, templates)
    listing = folder.listing()
    detection = _detect(folder, listing, templates)
    rows = _stored_files(folder, listing)
    for match in detection.matches:
        row = rows.get(source_of_entry(match.entry))
        if _is_due(row) and not _waits_on(row, match):
            _try(folder, templates, match.entry, _importing(match))
    for unmatched in detection.unmatched:
        row = rows.get(source_of_entry(unmatched.entry))
        if _is_due(row) and not _is_shown(row, unmatched.entry):
            _try(folder, templates, unmatched.entry, _showing(unmatched))


def seen(folder: Folder) -> Iterator[Seen]:
    """Files that are in the home now and were not taken, with the reason."""
    listing = folder.listing()
    detection = _detect(folder, listing, account_templates.of_drop(folder.drop))
    rows = _stored_files(folder, listing)
    decisions = {decision.subject: decision for decision in detection.decisions}
    for entry in listing:
        row = rows.get(source_of_entry(entry))
        decision = (row and _taken(row, entry)) or decisions.get(entry.name)
        if decision:
            path = f"{folder.drop.path}/{entry.name}"
            yield Seen(path, entry.size, decision.verdict, decision.reason, folder.drop)


def forget_unmatched() -> int:
    """Delete copies of unmatched files whose days are over. Returns how many went."""
    oldest = Now() - timedelta(days=settings.KEEP_FILES_DAYS)
    old = ArrivalFile.objects.filter(problem=Verdict.UNMATCHED, arrival__created_at__lt=oldest)
    rows = list(old.exclude(content="")[:100])
    for row in rows:
        default_storage.delete(row.content)
        ArrivalFile.objects.filter(pk=row.pk).update(content="")
    return len(rows)


def _detect(folder: Folder, listing: Listing, templates: AccountTemplates) -> TemplateDetection:
    quiet, now = timedelta(seconds=settings.TEMPLATE_QUIET_SECONDS), datetime.now(UTC)
    sent = uploads.sent_attachments(folder, listing)
    return detect(listing, now, templates.names, quiet, templates.elsewhere, sent)


def _stored_files(folder: Folder, listing: Listing) -> dict[str, ArrivalFile]:
    """The stored rows of files that are in the folder now, by source."""
    sources = [source_of_entry(entry) for entry in listing]
    rows = ArrivalFile.objects.filter(tenant_id=folder.drop.tenant_id, source__in=sources)
    rows = rows.filter(arrival__drop=folder.drop).select_related("arrival").order_by("pk")
    return {row.source: row for row in rows}


def _is_due(row: ArrivalFile | None) -> bool:
    """Whether a file is new, or its delivery did not come to an end."""
    if row is None:
        return True
    waits = row.arrival.state == State.CONFIG_MISSING and row.arrival.ready_at > datetime.now(UTC)
    return row.arrival.state in _OPEN and not waits


def _waits_on(row: ArrivalFile | None, match: Match) -> bool:
    """Whether the file waits for a configuration that is still not there; it is not copied then."""
    if row is None or row.arrival.state != State.CONFIG_MISSING:
        return False
    template = ImportTemplate.objects.filter(pk=match.template).first()
    if template is None or _feed(template.feed) is not None:
        return False
    waiting = Arrival.objects.filter(pk=row.arrival_id, state=State.CONFIG_MISSING)
    waiting.update(ready_at=Now() + _RETRY_AFTER)
    return True


def _is_shown(row: ArrivalFile | None, entry: Entry) -> bool:
    return row is not None and row.arrival.state == State.UNMATCHED and row.name == entry.name


def _taken(row: ArrivalFile, entry: Entry) -> DecisionEntry | None:
    """The decision on a file that was taken already; None where it may still be taken."""
    if row.arrival.state == State.CONFIG_MISSING:
        return DecisionEntry(entry.name, Verdict.CONFIGURATION_MISSING, row.reason)
    if row.arrival.state in _OPEN:
        return None
    if row.arrival.settled_at is None:
        return DecisionEntry(
            entry.name, Verdict.IN_PROGRESS, f"{shown(entry.name)} is being imported."
        )
    reason = (
        f"{shown(entry.name)} is the same file that was picked up as "
        f"{shown(row.name)}. It is imported only once. To import it again, send it "
        "again."
    )
    return DecisionEntry(entry.name, Verdict.TAKEN_BEFORE, reason)


def _try(folder: Folder, templates: AccountTemplates, entry: Entry, decide: Decide) -> None:
    try:
        _deliver(folder, templates, entry, decide)
    except (FileNotFoundError, ChangedWhileCopied):
        pass  # it is gone, or is written to again: the next round looks at what is there
    except Exception as exc:  # a file that fails stops no other
        log.exception("collect_failed", drop_id=folder.drop.pk, file=entry.name, exc_info=exc)


def _deliver(folder: Folder, templates: AccountTemplates, entry: Entry, decide: Decide) -> None:
    """One file becomes a delivery under our lease; `decide` says which state that goes to."""
    name = f"arrivals/{folder.drop.tenant_id}/{folder.drop.pk}/{uuid.uuid4().hex}"
    copy = snapshot.take(folder.jail, folder.file(entry.name), name)
    used = ""
    try:
        arrival = _claimed(folder, templates, entry, copy)
        if arrival is not None:
            used = _decided(folder, arrival, entry, copy, decide)
    finally:
        if used != copy.content:
            default_storage.delete(copy.content)


def _claimed(
    folder: Folder, templates: AccountTemplates, entry: Entry, copy: Snapshot
) -> Arrival | None:
    inode, mtime_ns, size = (int(part) for part in copy.source.split(":"))
    key = identity(
        str(folder.drop.pk), inode=inode, mtime_ns=mtime_ns, size=size, sha256=copy.sha256
    )
    account = uploader(folder, entry.name) or (templates.account.pk if templates.account else None)
    defaults = {
        "drop": folder.drop,
        "name": entry.name,
        "current_name": entry.name,
        "account_id": account,
    }
    arrival, _ = Arrival.objects.get_or_create(
        tenant_id=folder.drop.tenant_id, identity=key, defaults=defaults
    )
    free = Arrival.objects.filter(pk=arrival.pk, state__in=_OPEN).exclude(lease_until__gt=Now())
    return lifecycle.claim(free, owner=lifecycle.owner(), state=State.COLLECTING)


def _decided(folder: Folder, arrival: Arrival, entry: Entry, copy: Snapshot, decide: Decide) -> str:
    """Carry the decision out in one transaction. Returns the storage name that is in use then."""
    row = arrival.files.first() or ArrivalFile(
        tenant_id=arrival.tenant_id, arrival=arrival, index=0
    )
    old_content, reported_name = row.content, row.name if row.reported_state else ""
    row.name, row.reported_state, row.problem, row.reason = entry.name, "", "", ""
    row.size, row.md5, row.sha256 = copy.size, copy.md5, copy.sha256
    row.source, row.content = copy.source, copy.content
    with transaction.atomic():
        lifecycle.fence(arrival)
        state = decide(arrival, row)
        lifecycle.advance(
            arrival,
            to=state,
            allowed=[State.COLLECTING],
            name=entry.name,
            current_name=entry.name,
            settled_at=None,
            ready_at=Now() + _RETRY_AFTER,
            **lifecycle.released(),
        )
    if old_content and old_content != row.content:
        default_storage.delete(old_content)
    if reported_name and reported_name != entry.name:
        receipt_files.remove(folder.jail, folder.path, reported_name)
    return row.content


def _importing(match: Match) -> Decide:
    """Make the job with the template's version of this moment; it keeps that whatever happens."""

    def decide(arrival: Arrival, row: ArrivalFile) -> str:
        template = account_templates.locked(match.template)
        if template is None or template.current is None:
            return _put_off(row)
        feed = _feed(template.feed)
        if feed is None:
            return _without_configuration(arrival, row)
        version = template.current
        template_name = f"the template “{shown(template.name)}”, version {version.number}"
        if not save_unless_duplicate(row):
            log_decision(arrival, DecisionEntry(row.name, "duplicate", row.reason))
            return State.PROCESSING
        reason = f"{shown(row.name)} is named by {template_name}."
        log_decision(arrival, DecisionEntry(row.name, "accepted", reason))
        making.for_arrival(
            row,
            feed,
            f"Named by {template_name}.",
            wait=ROUND,
            template_version=version,
            **corrected.columns(row, feed, version),
        )
        return State.PROCESSING

    return decide


def _showing(unmatched: Unmatched) -> Decide:
    """Show people the file that no template names, and keep a copy to make a template from."""

    def decide(arrival: Arrival, row: ArrivalFile) -> str:
        feeds = recognise.feeds_of_stored(row.content, row.size or 0, row.name)
        hint = recognise.template_hint(feeds, arrival.account_id)
        reason = f"{unmatched.reason} {hint}".strip()
        row.problem, row.reason = Verdict.UNMATCHED, reason
        row.save()
        log_decision(arrival, DecisionEntry(row.name, Verdict.UNMATCHED, reason))
        for miss in unmatched.near:
            log_decision(arrival, DecisionEntry(miss.name, Verdict.NEAR_MISS, miss.reason))
        mail.unmatched(arrival, row)
        return State.UNMATCHED

    return decide


def _put_off(row: ArrivalFile) -> str:
    """The template was switched off meanwhile: nothing is changed, the next round looks again."""
    row.content = ArrivalFile.objects.get(pk=row.pk).content if row.pk else ""
    return State.COLLECTING


def _without_configuration(arrival: Arrival, row: ArrivalFile) -> str:
    reason = (
        "The template's feed is no longer configured. The operator has been "
        "notified, and the portal retries every few minutes. You do not need to send "
        "anything again."
    )
    row.problem, row.reason, row.content = Verdict.CONFIGURATION_MISSING, reason, ""
    row.save()
    log_decision(arrival, DecisionEntry(row.name, Verdict.CONFIGURATION_MISSING, reason))
    mail.configuration_missing(arrival)
    return State.CONFIG_MISSING


def _feed(name: str) -> Feed | None:
    try:
        return catalog().feed(name)
    except KeyError:
        return None
