"""Where a draft's files are kept, and how long.

They contain people's data, and not every draft is finished.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from imports.jobs import stored_files
from imports.models import ImportDraft

_AT_ONCE = 100


def folder_of(draft: ImportDraft) -> str:
    """The folder of a draft's files in storage."""
    return f"drafts/{draft.tenant_id}/{draft.uid}"


def names_of(draft: ImportDraft) -> list[str]:
    """The storage names of a draft's files; some may be empty."""
    return [draft.content, draft.table, draft.fetched.get("content", "")]


def release(*names: str) -> None:
    """Delete files that a draft no longer needs, except those that something else still names."""
    stored_files.delete_unnamed(names)


def release_all(draft: ImportDraft) -> None:
    """Delete everything in the folder of a deleted draft.

    There may be more files than the draft names: those of a request or collector that was cut off.
    """
    folder = folder_of(draft)
    try:
        _folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        names = []
    release(*(f"{folder}/{name}" for name in names), *names_of(draft))


def forget_old() -> int:
    """Delete drafts that nobody has changed for as long as files are kept. Returns how many.

    Must be called across tenants. A draft that is changed at this moment stays.
    """
    oldest = Now() - timedelta(days=settings.KEEP_FILES_DAYS)
    drafts = ImportDraft.objects.filter(changed_at__lt=oldest)
    return sum(_delete_unchanged(draft) for draft in drafts[:_AT_ONCE])


def _delete_unchanged(draft: ImportDraft) -> bool:
    rows = ImportDraft.objects.filter(pk=draft.pk, version=draft.version)
    deleted = rows.delete()[0] > 0
    if deleted:
        release_all(draft)
    return deleted
