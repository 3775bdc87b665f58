"""What the wizard's pages share: the draft, the list of steps, and how they answer what is sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imports.drafts import keeping, running
from imports.models import ImportDraft
from portal.faults import Refused
from portal.web import acting
from portal.web.permissions import TenantRequest

# Name of the address, and the label.
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
    return acting.or_404(keeping.find(request.tenant, uid))


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
    return render(request, f"imports/wizard/{template}.html", shown, status=status)


def steps(draft: ImportDraft, current: str) -> list[dict[str, Any]]:
    """The steps with their state; those that need a file are closed until there is one."""
    done = {
        "draft-choose": True,
        "draft-settings": True,
        "draft-file": bool(draft.content),
        "draft-map": bool(draft.content) and not problems(draft),
        "draft-check": running.doubt(draft) is None,
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


def problems(draft: ImportDraft) -> list[str]:
    """What keeps the draft from being validated, a sentence each."""
    try:
        running.ready_spec(draft)
    except Refused as refused:
        return refused.sentences
    return []


def version(request: TenantRequest) -> int:
    """The version of the draft that the sent page showed; 0, which no draft has, without one."""
    return acting.based_on(request, "version")


class NotSaved(Exception):
    """What was sent cannot be saved; the form or the messages say why.

    status: of the page that shows what was sent again.
    """

    def __init__(self, status: int = 422) -> None:
        super().__init__(status)
        self.status = status


def answer(
    request: TenantRequest,
    draft: ImportDraft,
    save: Callable[[], HttpResponse],
    show: Callable[[int], HttpResponse],
) -> HttpResponse:
    """Show the page; or save what was sent and go on, or else show it again with the reasons.

    save: returns where to go on; raises NotSaved, keeping.DraftChanged. show: takes the status.
    """
    if request.method != "POST":
        return show(200)
    try:
        return save()
    except keeping.DraftChanged:
        warn_changed(request, draft)
        return show(409)
    except NotSaved as refused:
        return show(refused.status)


def show_reasons(request: TenantRequest, refused: Refused) -> None:
    """Show why something was refused as messages."""
    for sentence in refused.sentences[:5]:
        messages.error(request, sentence)


def warn_changed(request: TenantRequest, draft: ImportDraft) -> None:
    """Say that somebody else saved first. The draft gets the version that is stored now."""
    fresh = draft_of(request, draft.uid)
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
