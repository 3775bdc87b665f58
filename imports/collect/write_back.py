"""Write the state of deliveries back to their folder: names of manifests, results, removals.

The database's state is written in an order that may be cut off anywhere: results first, then the
data file is removed (only if it still is the one that was taken), the manifest last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from django.core.files.storage import default_storage
from django.db.models.functions import Now

from imports.arrivals.decisions import Verdict
from imports.arrivals.names import errors_name, result_name
from imports.collect import advice, folders, receipt_files, receipts, replaced, uploads
from imports.collect.deliveries import Folder
from imports.collect.folders import source_of_entry
from imports.collect.receipts import Receipt
from imports.manifest import (
    InvalidSchema,
    ManifestState,
    Problem,
    annotate,
    parse_state,
    state_name,
)
from imports.models import Arrival, ArrivalFile, ImportJob
from portal import logs
from portal.dropserver.rights import ERRORS_ENDING
from portal.models import Drop

log = logs.get(__name__)
_BLOCK = 1 << 20
_SHOWN = {
    Arrival.State.INVALID_SCHEMA: ManifestState.INVALIDSCHEMA,
    Arrival.State.CONFIG_MISSING: ManifestState.IMPORTCONFIGMISSING,
}


def write_back(folder: Folder) -> None:
    """Bring the folder in line with all deliveries of the drop that are not settled yet."""
    is_template_drop = folder.drop.protocol == Drop.Protocol.TEMPLATE
    step = _template_file_step(folder) if is_template_drop else _write_back_manifest
    for arrival in Arrival.objects.filter(drop=folder.drop, settled_at=None).order_by("pk"):
        if arrival.state == Arrival.State.COLLECTING:
            continue
        try:
            step(folder, arrival)
        except OSError as exc:  # the other deliveries' results do not wait for this one
            log.exception("write_back_failed", arrival_id=arrival.pk, exc_info=exc)


def _template_file_step(folder: Folder) -> Callable[[Folder, Arrival], None]:
    """The step for a file of a template account: the file is the delivery, nothing is renamed."""
    sources = {source_of_entry(entry) for entry in folder.listing()}

    def step(folder: Folder, arrival: Arrival) -> None:
        file = arrival.files.select_related("job", "duplicate_of__job").first()
        if file is None or file.problem:
            is_there = file is not None and file.source in sources
            if file is not None:
                _report_problem(folder, arrival, file, is_there)
            if not is_there:
                _set_current_name(arrival, "")
                _close(arrival, arrival.state)
        elif _write_back_file(folder, file):
            _set_current_name(arrival, "")
            _close(arrival, Arrival.State.DONE)

    return step


def _report_problem(folder: Folder, arrival: Arrival, file: ArrivalFile, is_there: bool) -> None:
    """Write the receipt of a file that no template names, once; it goes with the file."""
    if file.problem != Verdict.UNMATCHED:
        return
    if is_there and not file.reported_state:
        receipt = Receipt(
            arrival.tenant, Arrival.State.UNMATCHED.value, file.name, file.reason, file=file
        )
        receipt_files.write(folder.jail, folder.path, receipt)
        ArrivalFile.objects.filter(pk=file.pk).update(reported_state=Arrival.State.UNMATCHED)
    if file.reported_state and not is_there:
        receipt_files.remove(folder.jail, folder.path, file.name, arrival.ready_at)


def _write_back_manifest(folder: Folder, arrival: Arrival) -> None:
    if shown := _SHOWN.get(Arrival.State(arrival.state)):
        _rename(folder, arrival, shown)
        if shown == ManifestState.INVALIDSCHEMA:
            _write_refusal(folder, arrival)
            _close(arrival, Arrival.State.INVALID_SCHEMA)
        return
    receipt_files.remove(folder.jail, folder.path, arrival.name, arrival.created_at)
    files = list(arrival.files.select_related("job", "duplicate_of__job").order_by("index"))
    problems = {f.index: Problem(f.problem) for f in files if f.problem}
    if problems and arrival.current_name.endswith(ManifestState.PROCESSING):
        _annotate_manifest(folder, arrival, problems)
        _write_invalid(folder, arrival, files)
    finished = [_write_back_file(folder, file) for file in files if not file.problem]
    if not all(finished):
        return
    if problems and arrival.state == Arrival.State.INVALID_FILES:
        _close(arrival, Arrival.State.INVALID_FILES)  # written already; a file of it was undone
    elif problems:
        if not folder.jail.exists(folder.file(result_name(arrival.name))):
            _write_invalid(folder, arrival, files)  # the round that marked it was cut off
        _close(arrival, Arrival.State.INVALID_FILES)
    else:
        _remove_manifest(folder, arrival)
        _close(arrival, Arrival.State.DONE)


def _write_invalid(folder: Folder, arrival: Arrival, files: list[ArrivalFile]) -> None:
    """Say beside a marked manifest what is wrong with each of its marked lines."""
    lines = tuple(file for file in files if file.problem)
    _write_manifest_receipt(
        folder, arrival, "invalid", advice.of_lines(len(lines), len(files)), lines
    )


def _write_refusal(folder: Folder, arrival: Arrival) -> None:
    """Say beside a manifest that cannot be read why that is."""
    decisions = arrival.decisions.filter(verdict=Verdict.INVALID_SCHEMA)
    reason = decisions.values_list("reason", flat=True).first() or ""
    _write_manifest_receipt(folder, arrival, "refused", advice.UNREADABLE_MANIFEST, (), reason)


def _write_manifest_receipt(
    folder: Folder,
    arrival: Arrival,
    state: str,
    todo: str,
    lines: tuple[ArrivalFile, ...],
    reason: str = "",
) -> None:
    if not reason:
        count = len(lines)
        reason = f"{count:,} {'line is' if count == 1 else 'lines are'} not valid."
    receipt = Receipt(arrival.tenant, state, arrival.name, reason, todo, lines=lines)
    receipt_files.write(folder.jail, folder.path, receipt)


def _rename(folder: Folder, arrival: Arrival, shown: ManifestState) -> None:
    """Give the manifest the name of its state, once."""
    if not arrival.current_name.endswith(ManifestState.PROCESSING):
        return
    name = folder.free_name(state_name(arrival.current_name, shown))
    try:
        folder.jail.rename(folder.file(arrival.current_name), folder.file(name))
    except FileNotFoundError:
        # An earlier round was cut off after the rename, or the sender removed it.
        name = next(_unclaimed_names(folder, arrival, shown), "")
    _set_current_name(arrival, name)


def _unclaimed_names(folder: Folder, arrival: Arrival, shown: ManifestState) -> Iterator[str]:
    """Names of manifests in that state in the folder that belong to no other delivery."""
    base_and_state = parse_state(state_name(arrival.current_name, shown))
    names = sorted(e.name for e in folder.listing() if parse_state(e.name) == base_and_state)
    others = Arrival.objects.filter(drop=folder.drop, current_name__in=names)
    taken = set(others.exclude(pk=arrival.pk).values_list("current_name", flat=True))
    return (name for name in names if name not in taken)


def _annotate_manifest(folder: Folder, arrival: Arrival, problems: dict[int, Problem]) -> None:
    """Write the manifest with INVALID attributes under the name of that state."""
    old, shown = folder.file(arrival.current_name), ManifestState.CONTAINSINVALIDFILES
    try:
        with folders.reading(folder.jail, old) as file:
            data = _annotated(file.read(), problems)
        name = _name_written_before(folder, arrival, shown, data)
        if not name:
            name = folder.free_name(state_name(arrival.current_name, shown))
            folders.write(folder.jail, folder.file(name), iter([data]))
        folder.jail.remove(old)
    except FileNotFoundError:
        # An earlier round was cut off after the removal, or the sender removed it.
        name = next(_unclaimed_names(folder, arrival, shown), "")
    _set_current_name(arrival, name)


def _name_written_before(
    folder: Folder, arrival: Arrival, shown: ManifestState, data: bytes
) -> str:
    """The name under which a cut-off earlier round has written it; empty where none has."""
    for name in _unclaimed_names(folder, arrival, shown):
        with folders.reading(folder.jail, folder.file(name)) as file:
            if file.read(len(data) + 1) == data:
                return name
    return ""


def _annotated(data: bytes, problems: dict[int, Problem]) -> bytes:
    """The annotated manifest; as it is where the sender has replaced it with another one."""
    try:
        return annotate(data, problems)
    except (InvalidSchema, KeyError):
        return data


def _write_back_file(folder: Folder, file: ArrivalFile) -> bool:
    """Write the result and remove the data file. Returns whether nothing is left to do."""
    job = _job_of(file)
    if job is None or not (job.is_final or job.state == ImportJob.State.HELD):
        if not file.reported_state:  # what is here is an earlier delivery's
            receipt_files.remove(folder.jail, folder.path, file.name, file.arrival.created_at)
        return False
    if file.reported_state != receipts.reported(job) and not _is_outdated(file):
        _write_result(folder, file, job)
    if file.removed_at is None:
        removed = folders.remove_same(folder.jail, folder.file(file.name), file.source)
        log.info("data_file_removed" if removed else "data_file_left", file_id=file.pk)
        ArrivalFile.objects.filter(pk=file.pk).update(removed_at=Now())
    return job.is_final


def _job_of(file: ArrivalFile) -> ImportJob | None:
    source = file.duplicate_of or file
    return getattr(source, "job", None)


def _is_outdated(file: ArrivalFile) -> bool:
    """Whether a later delivery of that name has a receipt here, which must not be overwritten."""
    if not file.reported_state:
        return False
    later = ArrivalFile.objects.filter(arrival__drop=file.arrival.drop_id, name=file.name)
    return later.filter(pk__gt=file.pk).exclude(reported_state="").exists()


def _write_result(folder: Folder, file: ArrivalFile, job: ImportJob) -> None:
    """Write the receipt beside the data file, and the error attachment or remove an older one."""
    attachment = _write_attachment(folder, file, job)
    receipt = receipts.of_job(file, job, attachment, lost=replaced.lost_before(file))
    receipt_files.write(folder.jail, folder.path, receipt)
    ArrivalFile.objects.filter(pk=file.pk).update(reported_state=receipts.reported(job))


def _write_attachment(folder: Folder, file: ArrivalFile, job: ImportJob) -> str:
    """Write the rejected rows; return the name that they have, empty where there are none.

    A correction that the sender has put there, and that nobody has taken yet, is left alone: the
    rows get another name. Rows that were sent again have a receipt of their own.
    """
    if job.correction is not None:
        return ""
    name = errors_name(file.name)
    if uploads.is_sent(folder, name):
        taken = folders.taken(folder.jail, folder.path)
        names = (f"{file.name}.{number}{ERRORS_ENDING}" for number in itertools.count(2))
        name = next(candidate for candidate in names if candidate not in taken)
    elif not has_rows(job) and folder.jail.exists(folder.file(name)):
        folder.jail.remove(folder.file(name))
    if not has_rows(job):
        return ""
    folders.write(folder.jail, folder.file(name), _blocks(job.attachment))
    return name


def has_rows(job: ImportJob) -> bool:
    """Whether the job has rejected rows for the sender to correct, and they are still true."""
    return bool(job.attachment and job.rows_rejected) and receipts.state_of(job) != receipts.UNDONE


def _blocks(content: str) -> Iterator[bytes]:
    with default_storage.open(content, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _remove_manifest(folder: Folder, arrival: Arrival) -> None:
    if not arrival.current_name:
        return
    try:
        folder.jail.remove(folder.file(arrival.current_name))
    except FileNotFoundError:
        pass
    _set_current_name(arrival, "")


def _set_current_name(arrival: Arrival, name: str) -> None:
    Arrival.objects.filter(pk=arrival.pk).update(current_name=name)
    arrival.current_name = name


def _close(arrival: Arrival, state: str) -> None:
    Arrival.objects.filter(pk=arrival.pk).update(state=state, settled_at=Now())
