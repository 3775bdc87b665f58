"""Copies of files that lie in the folders, for people who want to make a template from one.

Only the collector sees the folders: a draft names the file it wants, and the collector answers in
the same row. The file stays where it is, and what becomes of it is its arrival protocol's to say.
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
    """Copy what the tenant's drafts want of its folders. Returns how many were answered.

    A file that is written to meanwhile, or that cannot be copied by our own fault, is looked at
    again in the next round; one draft's trouble is not the others'.
    """
    wanting = ImportDraft.objects.filter(tenant_id=tenant_id, wanted__isnull=False, fetched={})
    answered = 0
    for draft in wanting.select_related("wanted__endpoint"):
        try:
            answered += _answer(draft)
        except Exception as exc:
            log.exception("wanted_file_not_copied", draft_id=draft.pk, exc_info=exc)
    return answered


def _answer(draft: ImportDraft) -> bool:
    assert draft.wanted is not None  # noqa: S101 - the query asks for it
    try:
        copy = _copied(draft, draft.wanted.endpoint, draft.wanted.path)
    except ChangedWhileCopied:
        return False
    except _GONE:
        return _note(draft, {"problem": "gone"})
    found = {"content": copy.content, "size": copy.size, "sha256": copy.sha256}
    if _note(draft, found):
        return True
    default_storage.delete(copy.content)  # the person has chosen another file meanwhile
    return False


def _copied(draft: ImportDraft, endpoint: Endpoint, path: str) -> snapshot.Snapshot:
    with Jail(settings.DROPS_DIR / str(endpoint.uid)) as jail:
        return snapshot.take(jail, folders.path_of(path), f"{folder_of(draft)}/file")


def _note(draft: ImportDraft, found: dict[str, Any]) -> bool:
    rows = ImportDraft.objects.filter(pk=draft.pk, wanted=draft.wanted_id, fetched={})
    return rows.update(fetched=found) == 1
