"""The first step: what is imported. And the list of what is unfinished, and template files."""

from __future__ import annotations

import io
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imports.drafts import guessing, keeping, running
from imports.mapping.automatch import targets_of
from imports.web.wizard import frame
from portal.models import Role
from portal.people_csv import write_rows
from portal.records.catalog import catalog
from portal.web import address
from portal.web.permissions import TenantRequest, require


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def new(request: TenantRequest) -> HttpResponse:
    """Choose what is imported; this makes a draft. Lists the unfinished ones."""
    if request.method == "POST":
        feed = request.POST.get("feed", "")
        if _is_feed(feed):
            draft = keeping.new(request.tenant, request.user, feed)
            return redirect("draft-settings", draft.uid)
        messages.error(request, _("Choose what the file contains."))
    context = {
        "section": "new",
        "packs": _packs(),
        "chosen": "",
        "drafts": keeping.unfinished(request.tenant),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "imports/wizard/new.html", context, status=status)


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def choose(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Choose anew; a mapping to another record type is made anew as well."""
    draft = frame.draft_of(request, uid)
    chosen = request.POST.get("feed", draft.feed)
    status = 200
    if request.method == "POST" and _is_feed(chosen):
        try:
            keeping.save(draft, request.user, frame.version(request), **_changed(draft, chosen))
            return redirect("draft-settings", uid)
        except keeping.Stale:
            frame.told_late(request, draft)
            status = 409
    context = {"packs": _packs(), "chosen": chosen}
    return frame.page(request, "choose", draft, "draft-choose", context, status)


def _changed(draft: Any, feed: str) -> dict[str, Any]:
    if feed == draft.feed:
        return {"step": "settings"}
    draft.feed = feed
    draft.spec = keeping.with_part(draft, fields={}, own_fields=[])
    found = {name: draft.sample.get(name) for name in ("notes", "confidence")}
    again = guessing.mapped(draft, found) if draft.content else {"spec": draft.spec}
    return {"feed": feed, "step": "settings", **again}


def _is_feed(name: str) -> bool:
    return any(feed.name == name for feed in catalog().feeds())


def _packs() -> list[dict[str, Any]]:
    return [
        {"pack": pack, "feeds": [_feed(feed) for feed in catalog().feeds_of(pack.name)]}
        for pack in catalog().packs
    ]


def _feed(feed: Any) -> dict[str, Any]:
    words = {
        "upsert": _("creates and updates"),
        "add_only": _("only adds"),
        "update_only": _("only updates"),
        "remove": _("removes"),
        "mirror": _("creates, updates, and removes what is not in the file"),
    }
    says = words[feed.operation.value]
    if feed.row_operation:
        says = _("the column %(name)s says what each row does") % {
            "name": feed.row_operation.column
        }
    return {"feed": feed, "says": says}


@require_GET
@require(Role.ADMIN)
def sample(request: TenantRequest, feed: str) -> HttpResponse:
    """The template file of a feed: its header and one row to go by."""
    if not _is_feed(feed):
        raise Http404
    known = catalog().feed(feed)
    targets = targets_of(known, catalog().record_type(known.record_type))
    written = io.BytesIO()
    cells = [field.sample or (field.values[0] if field.values else "") for field in targets]
    write_rows(written, [field.name for field in targets], [cells])
    response = HttpResponse(written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{known.file_name}"'
    return response


@require_POST
@require(Role.ADMIN)
def discard(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Give a draft up."""
    draft = frame.draft_of(request, uid)
    running.discard(draft, request.user, address.client(request) or None)
    messages.success(request, _("Discarded. Nothing in the store was changed."))
    return redirect("import-new")
