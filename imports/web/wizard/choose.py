"""The first step: what is imported; the list of unfinished drafts; sample files."""

from __future__ import annotations

import io
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imports.drafts import guessing, keeping, likely, running
from imports.mapping.automatch import targets_of
from imports.web.wizard import frame
from portal.models import Role
from portal.people_csv import write_rows
from portal.records.catalog import catalog
from portal.web import acting
from portal.web.permissions import TenantRequest, require


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def new(request: TenantRequest) -> HttpResponse:
    """Choose what is imported, which creates a draft. Lists the unfinished ones."""
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
    """Choose again; the mapping to another record type begins again too."""
    draft = frame.draft_of(request, uid)
    chosen = request.POST.get("feed", draft.feed)

    def save() -> HttpResponse:
        if not _is_feed(chosen):
            raise frame.NotSaved
        keeping.save(draft, request.user, frame.version(request), **_changed(draft, chosen))
        return redirect("draft-settings", uid)

    def show(status: int) -> HttpResponse:
        likely_feeds = likely.better_feeds(draft) if draft.content else []
        context = {"packs": _packs(), "chosen": chosen, "likely_feeds": likely_feeds}
        return frame.page(request, "choose", draft, "draft-choose", context, status)

    return frame.answer(request, draft, save, show)


def _changed(draft: Any, feed: str) -> dict[str, Any]:
    if feed == draft.feed:
        return {"step": "settings"}
    draft.feed = feed
    draft.spec = keeping.with_part(draft, fields={}, own_fields=[])
    mapping = guessing.mapped_again(draft) if draft.content else {"spec": draft.spec}
    return {"feed": feed, "step": "settings", **mapping}


def _is_feed(name: str) -> bool:
    return any(feed.name == name for feed in catalog().feeds())


def _packs() -> list[dict[str, Any]]:
    return [
        {"pack": pack, "feeds": [_feed(feed) for feed in catalog().feeds_of(pack.name)]}
        for pack in catalog().packs
    ]


def _feed(feed: Any) -> dict[str, Any]:
    effects = {
        "upsert": _("creates and updates"),
        "add_only": _("only adds"),
        "update_only": _("only updates"),
        "remove": _("removes"),
        "mirror": _("creates, updates, and removes what is not in the file"),
    }
    says = effects[feed.operation.value]
    if feed.row_operation:
        says = _("the column %(name)s says what each row does") % {
            "name": feed.row_operation.column
        }
    return {"feed": feed, "says": says}


@require_GET
@require(Role.ADMIN)
def sample(request: TenantRequest, feed: str) -> HttpResponse:
    """The sample file of a feed: its header and one example row."""
    if not _is_feed(feed):
        raise Http404
    chosen = catalog().feed(feed)
    targets = targets_of(chosen, catalog().record_type(chosen.record_type))
    written = io.BytesIO()
    cells = [field.sample or (field.values[0] if field.values else "") for field in targets]
    write_rows(written, [field.name for field in targets], [cells])
    response = HttpResponse(written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{chosen.file_name}"'
    return response


@require_POST
@require(Role.ADMIN)
def discard(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete a draft."""
    draft = frame.draft_of(request, uid)
    running.discard(draft, acting.actor(request))
    messages.success(request, _("Discarded. Nothing in the store was changed."))
    return redirect("import-new")
