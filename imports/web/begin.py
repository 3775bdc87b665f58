"""One click from a file that was sent to the wizard: make a template from this file."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from imports.drafts import keeping, likely, receiving
from imports.issues import FileRefused, headline
from imports.jobs import queries
from imports.models import Arrival, ArrivalFile, ImportDraft
from imports.web.job import has_original
from portal.models import Role
from portal.records.catalog import catalog
from portal.web.acting import or_404
from portal.web.permissions import TenantRequest, require


def waiting_file(arrival: Arrival) -> ArrivalFile | None:
    """The kept copy of a file that no template names; None where there is none."""
    if arrival.state != Arrival.State.UNMATCHED:
        return None
    return next((row for row in arrival.files.all() if row.content), None)


@require_POST
@require(Role.ADMIN)
def arrival_template(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Open the wizard with an unmatched file; with the draft that holds it, where there is one."""
    arrival = or_404(queries.arrival(request.tenant, uid))
    row = waiting_file(arrival)
    if row is None:
        messages.error(request, _("There is no longer a copy of this file waiting for a template."))
        return redirect("arrival", uid)
    draft = keeping.of_file(request.tenant, row.name, row.sha256)
    if draft is None:
        draft = _drafted(request, row)
    return redirect("draft-choose", draft.uid) if draft else redirect("arrival", uid)


def _drafted(request: TenantRequest, row: ArrivalFile) -> ImportDraft | None:
    """A draft with a copy of the file and the likeliest feed; None where it cannot be read."""
    draft = keeping.new(request.tenant, request.user, catalog().feeds()[0].name)
    try:
        receiving.take_arrived(draft, request.user, draft.version, row)
    except FileRefused as refused:
        _discard(request, draft, headline(refused.issues))
        return None
    except FileNotFoundError:
        _discard(request, draft, _("The file is no longer kept. Send it again."))
        return None
    likely.choose_feed(draft, request.user)
    return draft


def _discard(request: TenantRequest, draft: ImportDraft, *reasons: str) -> None:
    draft.delete()
    for reason in reasons:
        messages.error(request, reason)


@require_POST
@require(Role.ADMIN)
def sighting_template(request: TenantRequest, number: int) -> HttpResponse:
    """Open the wizard with a file in a folder, of which the collector makes a copy."""
    file = or_404(queries.sighting(request.tenant, number))
    if not receiving.in_folders(request.tenant).filter(pk=number).exists():
        messages.error(request, _("This file is no longer waiting in its folder."))
        return redirect("sightings")
    draft = keeping.requesting(request.tenant, file)
    if draft is None:
        draft = keeping.new(request.tenant, request.user, catalog().feeds()[0].name)
        receiving.request(draft, request.user, draft.version, file)
    return redirect("draft-file", draft.uid)


@require_POST
@require(Role.ADMIN)
def job_template(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Open the wizard with the file of a job, while it is kept."""
    job = or_404(queries.job(request.tenant, uid))
    if not has_original(job):
        messages.error(request, _("The file is no longer kept. Send it again."))
        return redirect("job", uid)
    draft = keeping.new(request.tenant, request.user, job.feed)
    try:
        receiving.pick(draft, request.user, draft.version, job)
    except FileRefused as refused:
        _discard(request, draft, headline(refused.issues))
        return redirect("job", uid)
    except FileNotFoundError:
        _discard(request, draft, _("The file is no longer kept. Send it again."))
        return redirect("job", uid)
    return redirect("draft-choose", draft.uid)
