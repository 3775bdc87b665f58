"""What the wizard's pages share: the draft, the list of steps, and being told late."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imports.drafts import keeping, running
from imports.models import ImportDraft
from portal.web.permissions import TenantRequest

# Name of the address, and the word.
STEPS = (
    ("draft-choose", gettext_lazy("What is imported")),
    ("draft-settings", gettext_lazy("Settings")),
    ("draft-file", gettext_lazy("File")),
    ("draft-map", gettext_lazy("Columns")),
    ("draft-check", gettext_lazy("Validate")),
    ("draft-finish", gettext_lazy("Process or save")),
)


def draft_of(request: TenantRequest, uid: uuid.UUID) -> ImportDraft:
    """The tenant's draft. Raises Http404."""
    draft = keeping.find(request.tenant, uid)
    if draft is None:
        raise Http404
    return draft


def page(
    request: TenantRequest,
    template: str,
    draft: ImportDraft,
    step: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    """A page of the wizard with its list of steps."""
    shown = {"section": "new", "draft": draft, "steps": steps(draft, step), **context}
    response = render(request, f"imports/wizard/{template}.html", shown, status=status)
    response["Cache-Control"] = "private, no-store"  # the back button shows what is saved
    return response


def steps(draft: ImportDraft, current: str) -> list[dict[str, Any]]:
    """The steps with what is known of each; those that need a file wait for one."""
    done = {
        "draft-choose": True,
        "draft-settings": True,
        "draft-file": bool(draft.content),
        "draft-map": bool(draft.content) and not _unready(draft),
        "draft-check": running.is_current(draft),
        "draft-finish": draft.job_id is not None or draft.template_id is not None,
    }
    return [
        {
            "name": name,
            "number": number,
            "label": label,
            "url": reverse(name, args=[draft.uid]),
            "open": number <= 3 or bool(draft.content),
            "done": done[name],
            "current": name == current,
        }
        for number, (name, label) in enumerate(STEPS, start=1)
    ]


def _unready(draft: ImportDraft) -> bool:
    try:
        running.ready_spec(draft)
    except running.NotReady:
        return True
    return False


def version(request: TenantRequest) -> int:
    """The version that the sent page showed; 0, which no draft has, where it says none."""
    said = request.POST.get("version", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


def told_late(request: TenantRequest, draft: ImportDraft) -> None:
    """Say that somebody else was first. The draft gets the version that is stored now."""
    fresh = keeping.find(request.tenant, draft.uid)
    if fresh is None:
        raise Http404
    draft.version, draft.changed_by = fresh.version, fresh.changed_by
    messages.error(
        request,
        _(
            "%(who)s saved this import while you were working on it, so your changes were not"
            " saved. What you entered is still below: save again to replace their version "
            "with yours, or reload the page to see their version."
        )
        % {"who": fresh.changed_by or _("Somebody else")},
    )
