"""Drafts: made, found, and saved so that of two people who save at once one is told."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from imports.mapping.spec import BadSpec, Settings, Spec, as_json, parse
from imports.models import ImportDraft, Sighting
from portal.models import Tenant, User

_MOST_SHOWN = 20


class Stale(Exception):
    """Somebody else has saved the draft since the page was shown. Nothing was written."""


def new(tenant: Tenant, user: User, feed: str) -> ImportDraft:
    """A draft for a feed of the catalog, with the settings that hold where nobody says more."""
    blank = as_json(Spec(columns=(), fields={}, settings=Settings()))
    return ImportDraft.objects.create(
        tenant=tenant, user=user, changed_by=user, feed=feed, spec=blank
    )


def find(tenant: Tenant, uid: uuid.UUID) -> ImportDraft | None:
    """The tenant's draft of that id."""
    found = ImportDraft.objects.filter(tenant=tenant, uid=uid)
    return found.select_related("changed_by", "dry_run", "job", "template").first()


def unfinished(tenant: Tenant) -> QuerySet[ImportDraft]:
    """The drafts that nothing came of yet, the last changed first."""
    return _open(tenant)[:_MOST_SHOWN]


def _open(tenant: Tenant) -> QuerySet[ImportDraft]:
    found = ImportDraft.objects.filter(tenant=tenant, job=None, template=None)
    return found.select_related("changed_by").order_by("-changed_at")


def of_file(tenant: Tenant, file_name: str, sha256: str) -> ImportDraft | None:
    """The draft that nothing came of yet and that holds this very file, the last changed one."""
    return _open(tenant).filter(file_name=file_name, sha256=sha256 or None).first()


def wanting(tenant: Tenant, file: Sighting) -> ImportDraft | None:
    """The draft that waits for a copy of that file; None where none does."""
    return _open(tenant).filter(wanted=file).first()


def no_longer_wants(draft: ImportDraft, found: dict[str, Any]) -> bool:
    """Forget the wish that `found` was brought for; whether it still was the draft's wish."""
    rows = ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk, fetched=found)
    return rows.filter(version=draft.version).update(wanted=None, fetched={}) == 1


def save(draft: ImportDraft, user: User, version: int, **changes: Any) -> None:
    """Write the changes to the draft as it was at `version`. Raises Stale."""
    rows = ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk, version=version)
    if not rows.update(version=F("version") + 1, changed_by=user, changed_at=Now(), **changes):
        raise Stale
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.version, draft.changed_by = version + 1, user


def note(draft: ImportDraft, **found: Any) -> None:
    """Write what was found out, which is nobody's decision and makes no new version."""
    ImportDraft.objects.filter(tenant_id=draft.tenant_id, pk=draft.pk).update(**found)
    for name, value in found.items():
        setattr(draft, name, value)


def part(draft: ImportDraft, name: str) -> dict[str, Any]:
    """A mapping of the spec as it is written now: "reading", "fields" or "settings"."""
    found = draft.spec.get(name)
    return dict(found) if isinstance(found, dict) else {}


def with_part(draft: ImportDraft, **parts: Any) -> dict[str, Any]:
    """The spec with other parts."""
    return {**draft.spec, **parts}


def faults(spec: dict[str, Any]) -> list[str]:
    """What is wrong with the spec as it is written; empty where nothing is."""
    try:
        parse(spec)
    except BadSpec as bad:
        return bad.faults
    return []
