"""Folders whose files come with manifests: how much one file of each may do, and its change."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from imports.collect import folder_limits
from imports.jobs import queries
from imports.web import limits
from portal.changes import ChangedMeanwhile, fingerprint
from portal.faults import Refused
from portal.models import Drop, Role
from portal.web.acting import actor, or_404, overtaken, seen_field
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50
_HELD = 10


class FolderForm(limits.LimitsForm):
    """The limits of a folder, and which ones the person saw."""

    seen = seen_field()

    @classmethod
    def of(cls, drop: Drop) -> FolderForm:
        """The form with what is stored."""
        return cls(initial={"seen": fingerprint(drop.limits), **limits.initial(drop.limits)})


@require_GET
@require(Role.VIEWER)
def folder_list(request: TenantRequest) -> HttpResponse:
    """The folders by path, with their limits."""
    name = request.GET.get("name", "").replace("\x00", "")[:300]
    rows = folder_limits.folders(request.tenant)
    pages = Paginator(rows.filter(path__icontains=name) if name else rows, PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "section": "arrivals",
        "tab": "limits",
        "page": page,
        "rows": [(drop, limits.stated(drop.limits)) for drop in page],
        "defaults": limits.in_words({}),
        "name": name,
        "lying": sum(queries.sighting_verdicts(request.tenant).values()),
    }
    return render(request, "imports/folders.html", context)


@require_GET
@require(Role.VIEWER)
def folder_page(request: TenantRequest, number: int) -> HttpResponse:
    """One folder: its limits, and its files that wait because of them."""
    drop = _folder(request, number)
    return _show(request, drop, FolderForm.of(drop))


@require_POST
@require(Role.ADMIN)
def folder_change(request: TenantRequest, number: int) -> HttpResponse:
    """Replace the limits; of two people who change them at once the second is refused."""
    drop, form = _folder(request, number), FolderForm(request.POST)
    if not form.is_valid():
        return _show(request, drop, form, status=422)
    who = actor(request)
    try:
        folder_limits.change(
            drop, form.written_limits(),
            seen=form.cleaned_data["seen"], user=who.user, address=who.address,
        )  # fmt: skip
    except ChangedMeanwhile as changed:
        fresh = _folder(request, number)
        again = FolderForm({**request.POST.dict(), "seen": fingerprint(fresh.limits)})
        again.add_error(None, overtaken(changed, limits.LABELS))
        return _show(request, fresh, again, status=409)
    except Refused as refused:
        form.add_faults(refused.faults)
        return _show(request, drop, form, status=422)
    messages.success(
        request, _("Saved. It applies to the next file, and to a file that is run again.")
    )
    return redirect("folder", drop.pk)


def _folder(request: TenantRequest, number: int) -> Drop:
    return or_404(folder_limits.folder(request.tenant, number))


def _show(request: TenantRequest, drop: Drop, form: FolderForm, status: int = 200) -> HttpResponse:
    held = folder_limits.held(drop)
    context: dict[str, Any] = {
        "section": "arrivals",
        "folder": drop,
        "form": form,
        "limits_hint": limits.hint(),
        "limits": limits.in_words(drop.limits),
        "held": held[:_HELD],
        "held_count": held.count(),
    }
    return render(request, "imports/folder.html", context, status=status)
