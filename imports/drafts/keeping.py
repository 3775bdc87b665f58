"""Drafts: created, read, and saved so that of two people who save at once the second is refused."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from imports.mapping.spec import BadSpec, Settings, Spec, as_json, parse
from imports.models import ImportDraft, Sighting
from portal.changes import ChangedMeanwhile
from portal.faults import Fault
from portal.models import Tenant, User

_MOST_SHOWN = 20


class DraftChanged(ChangedMeanwhile):
    """Somebody else has saved the draft since the page was shown. Nothing was written."""

    def __init__(self, number: int) -> None:
        message = "Somebody else saved this import in the meantime, so your changes were not saved."
        super().__init__(Fault((), "draft_changed", message), number=number)


def new(tenant: Tenant, user: User, feed: str) -> ImportDraft:
    """A draft for a feed of the catalog, with the default settings."""
    blank = as_json(Spec(columns=(), fields={}, settings=Settings()))
    return ImportDraft.objects.create(
        tenant=tenant, user=user, changed_by=user, feed=feed, spec=blank
    )


def find(tenant: Tenant, uid: uuid.UUID) -> ImportDraft | None:
    """The tenant's draft of that id."""
    rows = ImportDraft.objects.filter(tenant=tenant, uid=uid)
    return rows.select_related("changed_by", "dry_run", "job", "template").first()


def unfinished(tenant: Tenant) -> QuerySet[ImportDraft]:
    """The drafts without a job or a template so far, the last changed first."""
    return _open(tenant)[:_MOST_SHOWN]


def _open(tenant: Tenant) -> QuerySet[ImportDraft]:
    rows = ImportDraft.objects.filter(tenant=tenant, job=None, template=None)
    return rows.select_related("changed_by").order_by("-changed_at")


def of_file(tenant: Tenant, file_name: str, sha256: str) -> ImportDraft | None:
    """The unfinished draft that has this very file, the last changed one; None without one."""
    return _open(tenant).filter(file_name=file_name, sha256=sha256 or None).first()


def requesting(tenant: Tenant, file: Sighting) -> ImportDraft | None:
    """The draft that waits for a copy of that file; None where none does."""
    return _open(tenant).filter(requested=file).first()


def withdraw_request(draft: ImportDraft, fetched: dict[str, Any]) -> bool:
    """End the request that `fetched` was copied for. Returns whether it still was the draft's."""
    rows = ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk, fetched=fetched)
    return rows.filter(version=draft.version).update(requested=None, fetched={}) == 1


def save(draft: ImportDraft, user: User, version: int, **changes: Any) -> None:
    """Write the changes to the draft as it was at `version`. Raises DraftChanged."""
    rows = ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk, version=version)
    if not rows.update(version=F("version") + 1, changed_by=user, changed_at=Now(), **changes):
        fresh = ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk)
        raise DraftChanged(fresh.values_list("version", flat=True).first() or 0)
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.version, draft.changed_by = version + 1, user


def note(draft: ImportDraft, **facts: Any) -> None:
    """Write facts about the draft's file, which are nobody's decision and make no new version."""
    ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk).update(**facts)
    for name, value in facts.items():
        setattr(draft, name, value)


def part(draft: ImportDraft, name: str) -> dict[str, Any]:
    """A part of the spec as it is written now: "reading", "fields" or "settings"."""
    written = draft.spec.get(name)
    return dict(written) if isinstance(written, dict) else {}


def with_part(draft: ImportDraft, **parts: Any) -> dict[str, Any]:
    """The draft's spec with these parts replaced."""
    return {**draft.spec, **parts}


def faults(spec: dict[str, Any]) -> Sequence[Fault]:
    """What is wrong with the spec as it is written; empty where nothing is."""
    try:
        parse(spec)
    except BadSpec as bad:
        return bad.faults
    return ()
