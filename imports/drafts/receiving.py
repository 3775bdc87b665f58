"""A file for a draft: uploaded, or come by itself. Kept, looked at, and its columns guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q, QuerySet
from django.utils import timezone

from imports.arrivals.decisions import Verdict
from imports.drafts import files, guessing, keeping, sampling
from imports.drafts.files import folder_of
from imports.issues import FileRefused
from imports.models import Arrival, ArrivalFile, ImportDraft, ImportJob, Sighting
from portal import bell
from portal.models import Tenant, User

PICKED = 30  # of each kind are offered
_BLOCK = 1 << 20
# Data files that are whole; of those that no template names there is a copy already.
_FETCHABLE = (Verdict.WAITING_FOR_MANIFEST, Verdict.TAKEN_BEFORE, "misplaced")


class _Hashing(File):  # type: ignore[type-arg]
    """An upload that is hashed while storage reads it."""

    def __init__(self, upload: UploadedFile[bytes]) -> None:
        super().__init__(upload.file)
        self._upload = upload
        self.sha256 = hashlib.sha256()
        self.copied = 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        for block in self._upload.chunks(chunk_size or _BLOCK):
            self.sha256.update(block)
            self.copied += len(block)
            yield block


def upload(draft: ImportDraft, user: User, version: int, file: UploadedFile[bytes]) -> None:
    """Keep an uploaded file with the draft. Raises FileRefused in words, keeping.Stale."""
    hashing = _Hashing(file)
    content = default_storage.save(f"{folder_of(draft)}/file", hashing)
    try:
        _take(draft, user, version, {
            "content": content,
            "file_name": clean_name(file.name or ""),
            "file_size": hashing.copied,
            "sha256": hashing.sha256.hexdigest(),
        })  # fmt: skip
    except (FileRefused, keeping.Stale):
        default_storage.delete(content)
        raise


def clean_name(name: str) -> str:
    """The file's own name without folders and what no database takes."""
    return PurePath(name.replace("\\", "/").replace("\0", "")).name[:300] or "file.csv"


def arrived(tenant: Tenant) -> QuerySet[ImportJob]:
    """Files that came before and are still kept, the newest first."""
    kept = Q(kept_until=None) | Q(kept_until__gt=timezone.now())
    found = ImportJob.objects.filter(kept, tenant=tenant, dry_run=False, undoes=None)
    return found.exclude(content="").order_by("-created_at")[:PICKED]


def unmatched(tenant: Tenant) -> QuerySet[ArrivalFile]:
    """Files that no template names, of which a copy is kept, the newest first."""
    found = ArrivalFile.objects.filter(tenant=tenant, arrival__state=Arrival.State.UNMATCHED)
    return found.exclude(content="").select_related("arrival").order_by("-pk")[:PICKED]


def lying(tenant: Tenant) -> QuerySet[Sighting]:
    """Files in the folders of which there is no copy yet, the last seen first."""
    found = Sighting.objects.filter(tenant=tenant, gone_at=None, verdict__in=_FETCHABLE)
    found = found.filter(endpoint__enabled=True, is_exact=True)
    return found.exclude(path__iregex=r"\.done$").order_by("-last_seen", "-pk")


def want(draft: ImportDraft, user: User, version: int, file: Sighting, **more: Any) -> None:
    """Ask the collector for a copy of a file in the folders. Raises keeping.Stale."""
    before = draft.fetched.get("content", "")
    keeping.save(draft, user, version, wanted=file, fetched={}, **more)
    files.release(draft.tenant_id, before)
    bell.ring(bell.POLL, draft.tenant_id)


def take_fetched(draft: ImportDraft, user: User) -> None:
    """Read what the collector has brought. Raises FileRefused, FileNotFoundError, keeping.Stale.

    Where it is refused it is not kept, unless another look has taken it meanwhile.
    """
    wanted, found = draft.wanted, draft.fetched
    try:
        if wanted is None or "content" not in found:
            raise FileNotFoundError
        _take(draft, user, draft.version, {
            "content": found["content"],
            "file_name": clean_name(wanted.path),
            "file_size": found["size"],
            "sha256": found["sha256"],
        })  # fmt: skip
    except (FileRefused, FileNotFoundError):
        if keeping.no_longer_wants(draft, found):
            files.release(draft.tenant_id, found.get("content", ""))
        raise


def pick(draft: ImportDraft, user: User, version: int, job: ImportJob) -> None:
    """Take the file of an earlier job. Raises FileRefused, keeping.Stale."""
    _take(draft, user, version, {
        "content": job.content,
        "file_name": job.file_name,
        "file_size": job.file_size,
        "sha256": job.sha256,
    })  # fmt: skip


def take_arrived(draft: ImportDraft, user: User, version: int, row: ArrivalFile) -> None:
    """Take a copy of a file that no template named: the collector may drop its own at any time.

    Raises FileRefused, FileNotFoundError, keeping.Stale.
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
    except (FileRefused, OSError, keeping.Stale):
        default_storage.delete(content)
        raise


def sender(draft: ImportDraft) -> int | None:
    """The template account that last sent the draft's very file under its name; None without."""
    rows = ArrivalFile.objects.filter(tenant_id=draft.tenant_id, sha256=draft.sha256 or None)
    rows = rows.filter(name=draft.file_name, arrival__account__home__gt="")
    found = rows.order_by("-pk").values_list("arrival__account_id", flat=True)
    return found.first()


def _take(draft: ImportDraft, user: User, version: int, file: dict[str, Any]) -> None:
    before = files.names_of(draft)
    try:
        names = sampling.sheet_names(file["content"])
        looked = _looked(draft, file["content"], names, names[0] if names else None)
    except OSError as gone:
        raise FileNotFoundError from gone
    file |= {"wanted": None, "fetched": {}, "sheets": names}
    try:
        keeping.save(draft, user, version, step="file", **file, **looked)
    except keeping.Stale:
        files.release(draft.tenant_id, looked["table"])
        raise
    _release(draft, before)


def _release(draft: ImportDraft, before: list[str]) -> None:
    """Delete those of the former files that are no longer the draft's."""
    files.release(draft.tenant_id, *{*before} - {*files.names_of(draft)})


def choose_sheet(draft: ImportDraft, user: User, version: int, sheet: str) -> None:
    """Read another sheet of the workbook. Raises FileRefused, keeping.Stale."""
    before = files.names_of(draft)
    looked = _looked(draft, draft.content, draft.sheets, sheet)
    keeping.save(draft, user, version, **looked)
    _release(draft, before)


def _looked(
    draft: ImportDraft, content: str, names: list[str], sheet: str | None
) -> dict[str, Any]:
    """What is found out about a file: its reading, columns and likely mapping."""
    table = sampling.table_of(content, sheet, folder_of(draft)) if names else ""
    try:
        reading, notes, sure = sampling.sniffed(table or content, sheet)
    except FileRefused:
        files.release(draft.tenant_id, table)
        raise
    draft.table, draft.content = table, content
    draft.spec = keeping.with_part(draft, reading=reading)
    found = {"notes": notes, "confidence": sure}
    return {"table": table, "counted": {}, **guessing.mapped(draft, found)}


def read_so(draft: ImportDraft, user: User, version: int, reading: dict[str, Any]) -> None:
    """Read the file in another way; the columns that stay keep their fields. Raises Stale."""
    draft.spec = keeping.with_part(draft, reading=reading)
    found = {name: draft.sample.get(name) for name in ("notes", "confidence")}
    keeping.save(draft, user, version, counted={}, **guessing.mapped(draft, found))
