"""Copies of files in the folders, for people who want to make a template from such a file.

Only the collector sees the folders: a draft names the requested file, and the collector answers in
the same row. The file stays where it is; its arrival protocol decides about it as ever.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage

from imports.collect import folders, snapshot
from imports.collect.snapshot import ChangedWhileCopied
from imports.drafts.files import folder_of
from imports.models import ImportDraft
from portal import logs
from portal.dropserver.jail import Jail, LinkRefused
from portal.models import Endpoint

log = logs.get(__name__)
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, LinkRefused)


def fetch(tenant_id: int) -> int:
    """Copy the files that the tenant's drafts request. Returns how many were answered.

    A file that is written to meanwhile, or that cannot be copied by our own fault, is tried again
    in the next round; a draft that fails stops no other.
    """
    requests = ImportDraft.objects.filter(tenant_id=tenant_id, requested__isnull=False, fetched={})
    answered = 0
    for draft in requests.select_related("requested__endpoint"):
        try:
            answered += _answer(draft)
        except Exception as exc:
            log.exception("wanted_file_not_copied", draft_id=draft.pk, exc_info=exc)
    return answered


def _answer(draft: ImportDraft) -> bool:
    assert draft.requested is not None  # noqa: S101 - the query asks for it
    try:
        copy = _copied(draft, draft.requested.endpoint, draft.requested.path)
    except ChangedWhileCopied:
        return False
    except _GONE:
        return _save_answer(draft, {"problem": "gone"})
    fetched = {"content": copy.content, "size": copy.size, "sha256": copy.sha256}
    if _save_answer(draft, fetched):
        return True
    default_storage.delete(copy.content)  # the person has chosen another file meanwhile
    return False


def _copied(draft: ImportDraft, endpoint: Endpoint, path: str) -> snapshot.Snapshot:
    with Jail(settings.DROPS_DIR / str(endpoint.uid)) as jail:
        return snapshot.take(jail, folders.path_of(path), f"{folder_of(draft)}/file")


def _save_answer(draft: ImportDraft, answer: dict[str, Any]) -> bool:
    rows = ImportDraft.objects.filter(pk=draft.pk, requested=draft.requested_id, fetched={})
    return rows.update(fetched=answer) == 1
