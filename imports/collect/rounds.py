"""One round through a tenant's folders: write back, detect, claim, collect, release the jobs.

All drops of the tenant in the order of their feeds, so that files of dependent types that arrive
together are imported in dependency order without the pause that the seed asks of senders.
An error never stops the round: each drop and each manifest fails alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now

from imports.arrivals import misplaced
from imports.arrivals.decisions import Verdict
from imports.arrivals.listing import Listing
from imports.arrivals.manifest import ManifestDetection, detect
from imports.arrivals.names import is_result
from imports.collect import (
    account_templates,
    fetch,
    folders,
    misplaced_files,
    overtaking,
    receipt_files,
    recognise,
    sightings,
    template_files,
    uploads,
)
from imports.collect.deliveries import ROUND, Folder
from imports.collect.manifests import claim, collect
from imports.collect.sightings import Seen
from imports.collect.write_back import write_back
from imports.jobs.waiting import prolong
from imports.manifest import ManifestState, parse_state
from imports.models import Arrival, ImportJob
from portal import bell, locks, logs
from portal.dropserver.jail import Jail
from portal.locks import Lock
from portal.models import Drop, Endpoint, Upload
from portal.records.catalog import catalog

log = logs.get(__name__)
_WAIT_FOR_ROUND = 2_000  # milliseconds
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{32}\.tmp")
# A drop whose feed others refer to may hold the others' jobs back while it receives a file.
_STALLED = timedelta(minutes=15)


def poll(tenant_id: int) -> str:
    """Go through all folders of the tenant. Must be called in its scope. Returns a sentence."""
    with _turn(tenant_id) as ours:
        if not ours:
            return f"Tenant {tenant_id}: another round is about to begin."
        for endpoint in Endpoint.objects.filter(tenant_id=tenant_id, enabled=True):
            try:
                _endpoint(endpoint)
            except Exception as exc:  # an endpoint that fails stops no other
                log.exception("endpoint_failed", endpoint_id=endpoint.pk, exc_info=exc)
        released = _release_jobs(tenant_id)
    if released:
        bell.ring(bell.IMPORT, tenant_id)
    _fetch(tenant_id)
    return f"Tenant {tenant_id}: {released} jobs ready."


def _fetch(tenant_id: int) -> None:
    """Copy the files of folders that people want; a large one must not hold the round up."""
    with locks.if_free(Lock.FETCH, tenant_id) as ours:
        if ours:
            fetch.fetch(tenant_id)


@contextmanager
def _turn(tenant_id: int) -> Iterator[bool]:
    """One collector a tenant at a time, to save work; two would do no harm.

    Of those that come meanwhile the first waits a little, since it may have been notified of a file
    that the running round no longer sees; the others need not. It waits only a little: a round that
    copies a huge file must not keep a second process from the other tenants, and the round of the
    next sweep collects the file too.
    """
    with locks.if_free(Lock.COLLECT_NEXT, tenant_id) as first:
        ours = first and locks.take(Lock.COLLECT, tenant_id, _WAIT_FOR_ROUND)
    try:
        yield ours
    finally:
        if ours:
            locks.release(Lock.COLLECT, tenant_id)


def _endpoint(endpoint: Endpoint) -> None:
    root = settings.DROPS_DIR / str(endpoint.uid)
    if not root.is_dir():
        sightings.record(endpoint, [])
        return
    drops = sorted(Drop.objects.filter(endpoint=endpoint, enabled=True), key=_rank)
    with Jail(root) as jail:
        seen: list[Seen] = []
        for drop in drops:
            try:
                jail.make_directory(folders.path_of(drop.path))
                seen.extend(_drop(Folder(drop, jail)))
            except Exception as exc:  # a folder that fails stops no other
                log.exception("drop_failed", drop_id=drop.pk, exc_info=exc)
        tree = folders.tree(jail)
        seen += _misplaced(jail, tree, drops)
        sightings.record(endpoint, seen)
        misplaced_files.write_back(endpoint, jail, tree, {drop.path for drop in drops})


def _rank(drop: Drop) -> tuple[int, str]:
    try:
        return catalog().feed(drop.feed).rank, drop.path
    except KeyError:
        return 0, drop.path


def _drop(folder: Folder) -> Iterator[Seen]:
    if folder.drop.protocol == Drop.Protocol.TEMPLATE:
        return _template_files(folder)
    return _manifests(folder)


def _template_files(folder: Folder) -> Iterator[Seen]:
    write_back(folder)
    template_files.collect(folder)
    _forget_old_results(folder, folder.listing())
    write_back(folder)
    return template_files.seen(folder)


def _manifests(folder: Folder) -> Iterator[Seen]:
    write_back(folder)
    listing = folder.listing()
    detection = _detect(folder, listing)
    waiting = overtaking.waiting(folder, detection.claims)
    detection.claims = [entry for entry in detection.claims if entry.name not in waiting]
    for name in _claimed(folder, detection, listing):
        try:
            collect(folder, name)
        except Exception as exc:  # a manifest that fails stops no other
            log.exception("collect_failed", manifest=name, drop_id=folder.drop.pk, exc_info=exc)
    _forget_old_results(folder, listing)
    write_back(folder)
    return _seen(folder, {entry.name for entry in detection.claims}, waiting)


def _detect(folder: Folder, listing: Listing) -> ManifestDetection:
    return detect(
        listing,
        datetime.now(folder.drop.tenant.zone),
        named=_under_way(folder),
        sent=uploads.sent_attachments(folder, listing),
    )


def _claimed(folder: Folder, detection: ManifestDetection, listing: Listing) -> Iterator[str]:
    """Names of manifests to collect: adopted from a cut-off round, due again, newly claimed."""
    mine = set(
        Arrival.objects.filter(drop=folder.drop, settled_at=None)
        .exclude(state=Arrival.State.COLLECTING)
        .values_list("current_name", flat=True)
    )
    for entry in listing:
        state = parse_state(entry.name)
        claimed = state is not None and state[1] == ManifestState.PROCESSING and not entry.is_dir
        if claimed and entry.name not in mine and _is_text(entry.name):
            yield entry.name
    for entry in detection.retry:
        if name := claim(folder, entry):
            yield name
    for entry in detection.claims:
        if _is_text(entry.name) and (name := claim(folder, entry)):
            yield name


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8; no other can be written down."""
    return _SURROGATE.search(name) is None


def _under_way(folder: Folder) -> set[str]:
    """Data files that unsettled manifests of the drop name."""
    arrivals = Arrival.objects.filter(drop=folder.drop, settled_at=None)
    names = set(arrivals.filter(files__problem="").values_list("files__name", flat=True))
    # Without a configuration nothing was taken yet; the manifest itself says what it names.
    waiting = arrivals.filter(state=Arrival.State.CONFIG_MISSING)
    for manifest in waiting.values_list("current_name", flat=True):
        names |= overtaking.named_in(folder, manifest)
    return names - {None}


def _seen(folder: Folder, tried: Collection[str], waiting: Mapping[str, str]) -> Iterator[Seen]:
    """What is in the folder now. tried: manifests that this round tried to claim. waiting: those
    that it left, with the reason."""
    listing = folder.listing()
    detection = _detect(folder, listing)
    for decision in detection.decisions:
        entry = listing.by_name[decision.subject]
        path = f"{folder.drop.path}/{decision.subject}"
        yield Seen(path, entry.size, decision.verdict, decision.reason, folder.drop)

    for entry in detection.claims:
        path = f"{folder.drop.path}/{entry.name}"
        if entry.name in tried:
            yield Seen(path, entry.size, Verdict.NOT_CLAIMED, _NOT_CLAIMED, folder.drop)
        elif entry.name in waiting:
            reason = waiting[entry.name]
            yield Seen(path, entry.size, Verdict.UPLOAD_OPEN, reason, folder.drop)


_NOT_CLAIMED = (
    "The portal could not pick up this manifest by renaming it. It retries in a "
    "moment. If this continues, send it again under a simple name such as "
    "accounts.done."
)


def _misplaced(jail: Jail, tree: Mapping[str, Listing], drops: list[Drop]) -> Iterator[Seen]:
    files = misplaced.find(tree, [drop.path for drop in drops])
    sizes = {}
    for file in files:
        folder, _, name = file.path.rpartition("/")
        sizes[file.path] = tree[folder].by_name[name].size
    for file in recognise.misplaced(jail, files, drops, sizes):
        yield Seen(file.path, sizes[file.path], "misplaced", file.reason, None)


def _forget_old_results(folder: Folder, listing: Listing) -> None:
    """Results hold rows of data: they go after the days that files are kept.

    So do files that a killed collector left half-written, after a day.
    """
    receipt_files.remove_stale(folder.jail, folder.path, listing)
    sent = uploads.sent_attachments(folder, listing)
    oldest = datetime.now(UTC) - timedelta(days=settings.KEEP_FILES_DAYS)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for entry in listing:
        age = oldest if is_result(entry.name) else yesterday
        ours = is_result(entry.name) and entry.name not in sent
        ours = ours or _HALF_WRITTEN.fullmatch(entry.name) is not None
        if ours and not entry.is_dir and entry.written < age:
            _remove(folder, entry.name)


def _remove(folder: Folder, name: str) -> None:
    try:
        folder.jail.remove(folder.file(name))
    except OSError as exc:  # gone already, or made a link meanwhile
        log.warning("result_not_removed", drop_id=folder.drop.pk, error=repr(exc))


def _release_jobs(tenant_id: int) -> int:
    """Let the round's jobs start in their order, save where a file they need is being received."""
    waiting = ImportJob.objects.filter(
        tenant_id=tenant_id,
        state=ImportJob.State.READY,
        attempt=0,
        ready_at__gt=Now(),
        waits_until=None,
    )
    incoming = _lowest_incoming_rank(tenant_id)
    if incoming is not None:
        waiting.filter(rank__gt=incoming).update(ready_at=Now() + ROUND)
        prolong(tenant_id, incoming, ROUND)
        waiting = waiting.filter(rank__lte=incoming)
    return waiting.update(ready_at=Now())


def _lowest_incoming_rank(tenant_id: int) -> int | None:
    """The rank of the first feed in import order that is receiving a file right now."""
    uploads = Upload.objects.filter(
        tenant_id=tenant_id, state=Upload.State.OPEN, started_at__gt=Now() - _STALLED
    )
    under_way = [upload.path.strip("/").rpartition("/") for upload in uploads]
    folders_used = {folder for folder, _, _ in under_way}
    drops = Drop.objects.filter(tenant_id=tenant_id, path__in=folders_used)
    ranks = [
        _incoming(drop, name) for drop in drops for at, _, name in under_way if at == drop.path
    ]
    return min((rank for rank in ranks if rank is not None), default=None)


def _incoming(drop: Drop, name: str) -> int | None:
    """The rank of the file that is being received; None where nothing can depend on it."""
    if drop.protocol == Drop.Protocol.TEMPLATE:
        return account_templates.rank(drop, name)
    return _rank(drop)[0]
