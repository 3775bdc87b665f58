"""Where a draft's files are kept, and how long: they hold people's data, and not every draft is
finished."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from imports.models import ImportDraft, ImportJob

_AT_ONCE = 100


def folder_of(draft: ImportDraft) -> str:
    """The folder of a draft's files in storage."""
    return f"drafts/{draft.tenant_id}/{draft.uid}"


def release(tenant_id: int, *names: str) -> None:
    """Delete files that a draft no longer needs, save those that a job keeps for its own days."""
    held = ImportJob.objects.filter(tenant_id=tenant_id, content__in=names)
    for name in {*filter(None, names)} - {*held.values_list("content", flat=True)}:
        default_storage.delete(name)


def forget_old() -> int:
    """Delete drafts that nobody has touched for as long as files are kept. Returns how many went.

    Must be called across tenants.
    """
    oldest = Now() - timedelta(days=settings.KEEP_FILES_DAYS)
    drafts = list(ImportDraft.objects.filter(changed_at__lt=oldest)[:_AT_ONCE])
    for draft in drafts:
        draft.delete()
        release(draft.tenant_id, *names_of(draft))
    return len(drafts)


def names_of(draft: ImportDraft) -> list[str]:
    """The storage names of all that a draft holds."""
    return [draft.content, draft.table, draft.fetched.get("content", "")]
