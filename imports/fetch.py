"""Copies of files that lie in the folders, for people who want to make a template from one.

Only the collector sees the folders: a draft names the file it wants, and the collector answers in
the same row. The file stays where it is, and what becomes of it is its arrival protocol's to say.
"""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage

from imports import folders, snapshot
from imports.draft_files import folder_of
from imports.models import ImportDraft
from imports.snapshot import ChangedWhileCopied
from portal import logs
from portal.dropserver.jail import Jail
from portal.models import Endpoint

log = logs.get(__name__)


def fetch(endpoint: Endpoint, jail: Jail) -> int:
    """Copy what drafts want of the endpoint's folders. Returns how many were answered.

    A file that is written to meanwhile is looked at again in the next round.
    """
    wanting = ImportDraft.objects.filter(
        tenant_id=endpoint.tenant_id, wanted__endpoint=endpoint, fetched={}
    )
    return sum(_answer(draft, jail) for draft in wanting.select_related("wanted"))


def _answer(draft: ImportDraft, jail: Jail) -> bool:
    assert draft.wanted is not None  # noqa: S101 - the query asks for it
    path = folders.path_of(draft.wanted.path)
    try:
        copy = snapshot.take(jail, path, f"{folder_of(draft)}/file")
    except ChangedWhileCopied:
        return False
    except OSError as exc:
        log.info("wanted_file_not_copied", draft_id=draft.pk, error=repr(exc))
        return _note(draft, {"problem": "gone"})
    found = {"content": copy.content, "size": copy.size, "sha256": copy.sha256}
    if _note(draft, found):
        return True
    default_storage.delete(copy.content)  # the person has chosen another file meanwhile
    return False


def _note(draft: ImportDraft, found: dict[str, Any]) -> bool:
    rows = ImportDraft.objects.filter(pk=draft.pk, wanted=draft.wanted_id, fetched={})
    return rows.update(fetched=found) == 1
