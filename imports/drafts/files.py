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


def names_of(draft: ImportDraft) -> list[str]:
    """The storage names of all that a draft names; some may be empty."""
    return [draft.content, draft.table, draft.fetched.get("content", "")]


def release(tenant_id: int, *names: str) -> None:
    """Delete files that a draft no longer needs, save those that a job keeps for its own days."""
    wanted = {*filter(None, names)}
    if not wanted:
        return
    held = ImportJob.objects.filter(tenant_id=tenant_id, content__in=wanted)
    for name in wanted - {*held.values_list("content", flat=True)}:
        default_storage.delete(name)


def release_all(draft: ImportDraft) -> None:
    """Delete what is left in the folder of a draft that is gone.

    More than it names may lie there: what a request or a collector that was cut off has stored.
    """
    folder = folder_of(draft)
    try:
        _folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        names = []
    release(draft.tenant_id, *(f"{folder}/{name}" for name in names), *names_of(draft))


def forget_old() -> int:
    """Delete drafts that nobody has touched for as long as files are kept. Returns how many went.

    Must be called across tenants. One that is touched at this moment stays.
    """
    oldest = Now() - timedelta(days=settings.KEEP_FILES_DAYS)
    drafts = ImportDraft.objects.filter(changed_at__lt=oldest)
    return sum(_forget(draft) for draft in drafts[:_AT_ONCE])


def _forget(draft: ImportDraft) -> bool:
    rows = ImportDraft.objects.filter(pk=draft.pk, version=draft.version)
    gone = rows.delete()[0] > 0
    if gone:
        release_all(draft)
    return gone
