"""A draft's file: uploaded, or sent before; it is stored, sniffed and mapped."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from imports.arrivals.decisions import Verdict
from imports.drafts import files, guessing, keeping, sampling
from imports.drafts.files import folder_of
from imports.issues import FileRefused
from imports.jobs import making
from imports.models import Arrival, ArrivalFile, ImportDraft, ImportJob, Sighting
from portal import bell
from portal.models import Tenant, User
from portal.storage import HashedFile

PICKED = 30  # of each kind are offered
# Complete data files; there is a copy already of those that no template names.
_FETCHABLE = (Verdict.WAITING_FOR_MANIFEST, Verdict.TAKEN_BEFORE, "misplaced")


def upload(draft: ImportDraft, user: User, version: int, file: UploadedFile[bytes]) -> None:
    """Keep an uploaded file with the draft. Raises FileRefused, keeping.DraftChanged."""
    hashed = HashedFile(file)
    content = default_storage.save(f"{folder_of(draft)}/file", hashed)
    try:
        _take(draft, user, version, {
            "content": content,
            "file_name": clean_name(file.name or ""),
            "file_size": hashed.size_read,
            "sha256": hashed.sha256,
        })  # fmt: skip
    except (FileRefused, keeping.DraftChanged):
        default_storage.delete(content)
        raise


def clean_name(name: str) -> str:
    """The file's own name without folders and NUL characters."""
    return PurePath(name.replace("\\", "/").replace("\0", "")).name[:300] or "file.csv"


def arrived(tenant: Tenant) -> QuerySet[ImportJob]:
    """Files of earlier jobs that are still kept, the newest first."""
    kept = Q(kept_until=None) | Q(kept_until__gt=timezone.now())
    rows = ImportJob.objects.filter(kept, tenant=tenant, dry_run=False, undoes=None)
    return rows.exclude(content="").order_by("-created_at")[:PICKED]


def unmatched(tenant: Tenant) -> QuerySet[ArrivalFile]:
    """Files that no template names, of which a copy is kept, the newest first."""
    rows = ArrivalFile.objects.filter(tenant=tenant, arrival__state=Arrival.State.UNMATCHED)
    return rows.exclude(content="").select_related("arrival").order_by("-pk")[:PICKED]


def in_folders(tenant: Tenant) -> QuerySet[Sighting]:
    """Files in the folders of which there is no copy yet, the last seen first."""
    rows = Sighting.objects.filter(tenant=tenant, gone_at=None, verdict__in=_FETCHABLE)
    rows = rows.filter(endpoint__enabled=True, is_exact=True)
    return rows.exclude(path__iregex=r"\.done$").order_by("-last_seen", "-pk")


def request(draft: ImportDraft, user: User, version: int, file: Sighting, **more: Any) -> None:
    """Ask the collector for a copy of a file in the folders. Raises keeping.DraftChanged."""
    before = draft.fetched.get("content", "")
    keeping.save(draft, user, version, requested=file, fetched={}, **more)
    files.release(before)
    bell.ring(bell.POLL, draft.tenant_id)


def take_fetched(draft: ImportDraft, user: User) -> None:
    """Use the copy that the collector has made.

    A copy that is refused is deleted, unless another request has used it meanwhile. Raises
    FileRefused, FileNotFoundError, keeping.DraftChanged.
    """
    requested, fetched = draft.requested, draft.fetched
    try:
        if requested is None or "content" not in fetched:
            raise FileNotFoundError
        _take(draft, user, draft.version, {
            "content": fetched["content"],
            "file_name": clean_name(requested.path),
            "file_size": fetched["size"],
            "sha256": fetched["sha256"],
        })  # fmt: skip
    except (FileRefused, FileNotFoundError):
        if keeping.withdraw_request(draft, fetched):
            files.release(fetched.get("content", ""))
        raise


def pick(draft: ImportDraft, user: User, version: int, job: ImportJob) -> None:
    """Use the file of an earlier job. Raises FileRefused, FileNotFoundError, DraftChanged."""
    _take(draft, user, version, {
        "content": job.content,
        "file_name": job.file_name,
        "file_size": job.file_size,
        "sha256": job.sha256,
    }, past=job)  # fmt: skip


def take_arrived(draft: ImportDraft, user: User, version: int, row: ArrivalFile) -> None:
    """Use a copy of an unmatched file: the collector may delete its own at any time.

    Raises FileRefused, FileNotFoundError, keeping.DraftChanged.
    """
    with default_storage.open(row.content, "rb") as file:
        content = default_storage.save(f"{folder_of(draft)}/file", file)
    try:
        _take(draft, user, version, {
            "content": content,
            "file_name": row.name,
            "file_size": default_storage.size(content),
            "sha256": row.sha256,
        })  # fmt: skip
    except (FileRefused, OSError, keeping.DraftChanged):
        default_storage.delete(content)
        raise


def sender(draft: ImportDraft) -> int | None:
    """The template account that last sent this very file under this name; None without one."""
    rows = ArrivalFile.objects.filter(tenant_id=draft.tenant_id, sha256=draft.sha256 or None)
    rows = rows.filter(name=draft.file_name, arrival__account__home__gt="")
    return rows.order_by("-pk").values_list("arrival__account_id", flat=True).first()


def _take(
    draft: ImportDraft,
    user: User,
    version: int,
    file: dict[str, Any],
    past: ImportJob | None = None,
) -> None:
    """past: the job whose stored file it is; it must still name it when the draft does too."""
    before = files.names_of(draft)
    try:
        names = sampling.sheet_names(file["content"])
        examined = _examined(draft, file["content"], names, names[0] if names else None)
    except OSError as gone:
        raise FileNotFoundError from gone
    file |= {"requested": None, "fetched": {}, "sheets": names}
    try:
        with transaction.atomic():
            if past is not None:
                making.lock_past(past)
            keeping.save(draft, user, version, step="file", **file, **examined)
    except (FileNotFoundError, keeping.DraftChanged):
        files.release(examined["table"])
        raise
    _release(draft, before)


def _release(draft: ImportDraft, before: list[str]) -> None:
    """Delete the former files that are no longer the draft's."""
    files.release(*{*before} - {*files.names_of(draft)})


def choose_sheet(draft: ImportDraft, user: User, version: int, sheet: str) -> None:
    """Read another sheet of the workbook. Raises FileRefused, keeping.DraftChanged."""
    before = files.names_of(draft)
    examined = _examined(draft, draft.content, draft.sheets, sheet)
    keeping.save(draft, user, version, **examined)
    _release(draft, before)


def _examined(
    draft: ImportDraft, content: str, names: list[str], sheet: str | None
) -> dict[str, Any]:
    """A file's reading, columns and likely mapping."""
    table = sampling.table_of(content, sheet, folder_of(draft)) if names else ""
    try:
        reading, notes, sure = sampling.likely_reading(table or content, sheet)
    except FileRefused:
        files.release(table)
        raise
    draft.table, draft.content = table, content
    draft.spec = keeping.with_part(draft, reading=reading)
    facts = {"notes": notes, "confidence": sure}
    return {"table": table, "counted": {}, **guessing.mapped(draft, facts)}


def change_reading(draft: ImportDraft, user: User, version: int, reading: dict[str, Any]) -> None:
    """Read the file in another way; columns that stay keep their fields. Raises DraftChanged."""
    draft.spec = keeping.with_part(draft, reading=reading)
    keeping.save(draft, user, version, counted={}, **guessing.mapped_again(draft))
