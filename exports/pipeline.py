"""One run from its window to a frozen file with its deliveries: name → write → store → end.

The file is written in one transaction whose snapshot the run remembers. Everything before the end
may be repeated; the end, with the deliveries, is one transaction behind the fence.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from exports import layout, names, outcome, queue, selection, writing
from exports.models import Delivery, Destination, Export, ExportRun
from exports.selection import Before, Bounds
from exports.writing import FileFormat, WrittenFile
from portal import bell, lifecycle, locks, logs, storage
from portal.faults import Refused
from portal.lifecycle import Heartbeat
from portal.locks import Lock
from portal.storage import SpooledFile

_NAMED = 3  # paths that no event has, in the run's sentence


@dataclass(frozen=True, slots=True)
class _WrittenFile:
    """A written file. unknown: paths of columns that nothing in it has."""

    contents: outcome.FileContents
    file: WrittenFile
    unknown: Sequence[str]


def write_next(tenant_id: int) -> str:
    """Write the tenant's next run. Returns a sentence. Must be called in the tenant's scope."""
    claimed = lifecycle.next_to_run(functools.partial(queue.claim, tenant_id), _give_up)
    return run(claimed) if claimed else f"Tenant {tenant_id}: nothing to write."


def _give_up(run: ExportRun) -> None:
    outcome.give_up(run)
    tidy(run)


def run(run: ExportRun) -> str:
    """Carry out a claimed run. Returns a sentence for the log. A fault raises nothing."""
    logs.bind(run_id=run.pk, tenant_id=run.tenant_id)
    lost = lifecycle.run_attempt(
        run,
        run.tenant_id,
        work=functools.partial(_attempt_or_refuse, run),
        errored=functools.partial(outcome.errored, run),
        tidy=functools.partial(tidy, run),
    )
    if lost is not None:
        return f"Export run {run.pk}: {lost}"
    return f"Export run {run.pk}: {run.state}, {run.rows} rows."


def make_deliveries(run: ExportRun) -> int:
    """One delivery for each destination; couriers are notified on commit. Call in a transaction."""
    places = Destination.objects.filter(export_id=run.export_id).order_by("pk")
    rows = [
        Delivery(tenant_id=run.tenant_id, run=run, server_id=place.server_id, path=place.path)
        for place in places
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        bell.ring_on_commit(bell.DELIVER, run.tenant_id)
    return len(rows)


def tidy(run: ExportRun) -> None:
    """Remove what this attempt and earlier ones stored, save what the run's row names."""
    rows = ExportRun.objects.filter(pk=run.pk).values_list("content", flat=True)
    storage.tidy_attempts(_folder(run), run.token, kept=rows.first)


def _attempt_or_refuse(run: ExportRun, beat: Heartbeat) -> None:
    """One attempt; a definition that cannot be carried out is refused. Raises LeaseLost."""
    try:
        outcome.begun(run)
        _attempt(run, beat)
    except Refused as fault:
        outcome.refused(run, str(fault))


def _attempt(run: ExportRun, beat: Heartbeat) -> None:
    form = _form(run)
    with queue.spool.folder(run) as folder:
        path = folder / "content"
        written = _write(run, form, path, beat)
        if not written.file.rows and run.definition["empty"] == Export.Empty.SKIP:
            outcome.empty(run, written.contents, f"Nothing happened for {run.local_date}.")
            return
        content = _store(run, path)
    beat.check()
    with transaction.atomic():
        lifecycle.fence(run)
        reason = _empty_columns_note(written.unknown, run.definition["source"])
        outcome.written(
            run, written.contents, content, written.file.size, written.file.sha256, reason
        )
        make_deliveries(run)


def _form(run: ExportRun) -> FileFormat:
    """How the file will look. Raises Refused; claims the file's name."""
    definition = run.definition
    stored = definition["columns"]
    chosen = (
        layout.columns(definition["source"], stored)
        if stored or definition["format"] == "csv"
        else []
    )
    extension = names.extension(definition["format"], definition["compression"])
    name = _claim_name(run, extension)
    inner = name.removesuffix(extension) + names.extension(definition["format"], "")
    return FileFormat(definition["format"], chosen, definition["compression"], inner)


def _write(run: ExportRun, form: FileFormat, path: Path, beat: Heartbeat) -> _WrittenFile:
    """Write the file within one snapshot."""
    source = run.definition["source"]
    with transaction.atomic(durable=True):
        snapshot = _begin_snapshot()
        before = _before(run)
        raw = connection.connection
        bounds = _bounds(run, before)
        parts = selection.parts(raw, source, bounds)
        file = writing.write(raw, parts, form, path, beat.check)
        chosen = form.columns if run.definition["columns"] and file.rows else ()
        unknown = selection.unknown(raw, parts, source, chosen)
    previous = before.snapshot if before else ""
    contents = outcome.FileContents(file.rows, file.late, snapshot, previous)
    return _WrittenFile(contents, file, unknown)


def _begin_snapshot() -> str:
    """The running transaction's snapshot, written once for all that it reads."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def _before(run: ExportRun) -> Before | None:
    """The newest night before that has a file or had nothing to send; failed ones are passed over.

    None where the export was stopped in between: then this is a first night again.
    """
    if run.kind != ExportRun.Kind.NIGHTLY:
        return None
    ended = ExportRun.objects.filter(
        export_id=run.export_id,
        kind=ExportRun.Kind.NIGHTLY,
        local_date__lt=run.local_date,
        window_end__gte=run.definition["since"],
        state__in=(ExportRun.State.WRITTEN, ExportRun.State.EMPTY),
    )
    night = ended.order_by("-local_date").first()
    return Before(night.window_end, night.snapshot) if night else None


def _bounds(run: ExportRun, before: Before | None) -> Bounds:
    since = datetime.fromisoformat(run.definition["since"])
    return Bounds(run.tenant_id, since, run.window_start, run.window_end, before)


def _claim_name(run: ExportRun, extension: str) -> str:
    """The file's name, kept over all attempts. No other file of the export, or of one that goes to
    the same folder, has it: where the pattern gives it twice, the run's characters are added."""
    if run.file_name:
        return run.file_name
    name = _name(run, extension)
    with transaction.atomic():
        locks.hold_until_commit(Lock.NAME_EXPORT_FILE, run.tenant_id)
        if _is_taken(run, name):
            name = names.distinct(name, run.uid, extension)
        running = [ExportRun.State.RUNNING]
        lifecycle.advance(run, to=ExportRun.State.RUNNING, allowed=running, file_name=name)
    return name


def _name(run: ExportRun, extension: str) -> str:
    definition: dict[str, Any] = run.definition
    return names.file_name(
        definition["name_pattern"] or names.DEFAULT,
        event=layout.event_part(definition["source"], definition["name"]),
        local_date=run.local_date,
        created=run.created_at,
        run_uid=run.uid,
        export_uid=run.export.uid,
        zone=definition["time_zone"],
        extension=extension,
    )


def _is_taken(run: ExportRun, name: str) -> bool:
    """Compared without case: some servers know no difference."""
    folders = Q(pk__in=[])
    for place in Destination.objects.filter(export_id=run.export_id):
        folders |= Q(server_id=place.server_id, path=place.path)
    shared = Destination.objects.filter(folders, export=OuterRef("export"))
    others = ExportRun.objects.filter(tenant_id=run.tenant_id, file_name__iexact=name)
    mine = Q(export_id=run.export_id) | Exists(shared)
    return others.filter(mine).exclude(pk=run.pk).exists()


def _store(run: ExportRun, path: Path) -> str:
    with path.open("rb") as file:
        return default_storage.save(f"{_folder(run)}/{run.token}", SpooledFile(file, str(path)))


def _folder(run: ExportRun) -> str:
    return f"exports/{run.tenant_id}/{run.uid}"


def _empty_columns_note(unknown: Sequence[str], source: dict[str, Any]) -> str:
    """The sentence about columns that are empty everywhere; empty where there is none."""
    if not unknown:
        return ""
    shown = ", ".join(f"“{path[:80]}”" for path in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    what = "record" if source.get("records") else "event"
    return (
        f"No {what} has {shown}{more}, so these columns are empty in the whole "
        "file. Check the columns' paths."
    )
