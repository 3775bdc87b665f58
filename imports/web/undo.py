"""The undo of an import, with what it would do, and the upload of corrected rows."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from imports.jobs import actions, corrections, queries, undo
from portal.models import Role
from portal.web import address, uploads
from portal.web.acting import or_404
from portal.web.permissions import TenantRequest, require


@require_GET
@require(Role.MANAGER)
def undo_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """What an undo of the job would restore, and what it would leave; or why it is refused."""
    job = or_404(queries.job(request.tenant, uid))
    why = undo.refusal(job)
    context = {
        "section": "jobs",
        "job": job,
        "why_not": why,
        "preview": None if why else undo.preview(job),
    }
    return render(request, "imports/undo.html", context)


@require_POST
@require(Role.MANAGER)
def undo_confirm(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Make the job that undoes this one; its page shows the progress."""
    job = or_404(queries.job(request.tenant, uid))
    try:
        undoing = actions.undo(job, request.user, address.client(request) or None)
    except actions.NotPossible as why:
        messages.error(request, str(why))
        return redirect("job", uid)
    messages.success(request, _("The undo starts in a moment. This is its job."))
    return redirect("job", undoing.uid)


@require_POST
@uploads.may_come_by_script
@require(Role.MANAGER)
def job_correct(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Take a corrected error attachment and make a job for its rows."""
    job, file = or_404(queries.job(request.tenant, uid)), request.FILES.get("file")
    if uploads.too_large(request):
        words = _(
            "The file is larger than %(most)s, the maximum for uploads here. None of it was "
            "kept. Send it by SFTP, or in parts."
        )
        messages.error(request, words % {"most": filesizeformat(settings.MAX_UPLOAD_BYTES)})
        return redirect("job", uid)
    if not isinstance(file, UploadedFile):
        messages.error(request, _("No file was chosen. Choose the corrected error attachment."))
        return redirect("job", uid)
    try:
        correction = corrections.take(job, file, request.user, address.client(request) or None)
    except corrections.NotTaken as why:
        messages.error(request, str(why))
        return redirect("job", uid)
    messages.success(request, _("The corrected file was received. This is its job."))
    return redirect("job", correction.uid)


@require_POST
@require(Role.MANAGER)
def job_again(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Run the rejected rows of a job once more, now that what they refer to has come."""
    job = or_404(queries.job(request.tenant, uid))
    try:
        retry = corrections.again(job, request.user, address.client(request) or None)
    except corrections.NotTaken as why:
        messages.error(request, str(why))
        return redirect("job", uid)
    messages.success(request, _("The rejected rows are tried again. This is their job."))
    return redirect("job", retry.uid)
