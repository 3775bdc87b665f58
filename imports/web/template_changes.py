"""Changes to import templates from their pages; a refusal shows every fault."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from imports.models import ImportTemplate
from imports.templates import actions
from imports.web import templates
from imports.web.template_forms import CloneForm, IdentityForm, ReplayForm, YamlForm
from portal.changes import ChangedMeanwhile
from portal.faults import Fault, Refused
from portal.models import Role
from portal.web.acting import actor, based_on, changed_words, whole_number
from portal.web.permissions import TenantRequest, require


def _done(
    request: TenantRequest, template: ImportTemplate, act: Callable[[], object], words: str
) -> HttpResponse:
    """Do it and show the template, or show why not."""
    try:
        act()
    except ChangedMeanwhile as changed:
        fresh = templates.template_of(request, template.uid)
        return templates.show(request, fresh, faults=[changed_words(changed)], status=409)
    except Refused as refused:
        fresh = templates.template_of(request, template.uid)
        return templates.show(request, fresh, faults=refused.sentences, status=422)
    messages.success(request, words)
    return redirect("template", template.uid)


def _text(form: YamlForm) -> str:
    """The uploaded text. Raises Refused where there is no file or it is no text."""
    if not form.is_valid():
        errors = form.errors.get("file", ())
        raise Refused(*(Fault(("file",), "no_file", "%(e)s", {"e": error}) for error in errors))
    try:
        return form.text()
    except UnicodeDecodeError as error:
        message = "file: found bytes that are not text at byte %(at)s, expected UTF-8."
        params = {"at": f"{error.start + 1:,}"}
        raise Refused(Fault(("file",), "not_utf_8", message, params)) from error


@require_POST
@require(Role.ADMIN)
def template_upload(request: TenantRequest) -> HttpResponse:
    """A new template from a YAML file."""
    form = YamlForm(request.POST, request.FILES)
    try:
        template = actions.from_yaml(request.tenant, actor(request), _text(form))
    except Refused as refused:
        return templates.show_list(request, YamlForm(), refused.sentences, status=422)
    messages.success(request, _("Template created. Choose the account whose files it imports."))
    return redirect("template", template.uid)


@require_POST
@require(Role.ADMIN)
def version_upload(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """A new version from a YAML file."""
    template, form = templates.template_of(request, uid), YamlForm(request.POST, request.FILES)

    def act() -> object:
        return actions.save_yaml(template, actor(request), _text(form), based_on=based_on(request))

    return _done(request, template, act, _("The new version was saved and is in use."))


@require_POST
@require(Role.ADMIN)
def template_change(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Change the name, the account and the file names."""
    template, form = templates.template_of(request, uid), IdentityForm(request.tenant, request.POST)
    if not form.is_valid():
        return templates.show(request, template, identity_form=form, status=422)
    try:
        actions.change(template, actor(request), form.identity())
    except Refused as refused:
        fresh = templates.template_of(request, uid)
        return templates.show(
            request, fresh, identity_form=form, faults=refused.sentences, status=422
        )
    messages.success(request, _("Saved."))
    return redirect("template", uid)


@require_POST
@require(Role.ADMIN)
def template_enabled(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Enable or disable the template, as `to` says."""
    template, to = templates.template_of(request, uid), request.POST.get("to") == "enabled"
    words = (
        _("Files with its names are imported automatically.")
        if to
        else _("Files with its names are no longer imported.")
    )

    def act() -> None:
        actions.set_enabled(template, actor(request), to)

    return _done(request, template, act, words)


@require_POST
@require(Role.ADMIN)
def template_rollback(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Make an older version the newest one again."""
    template = templates.template_of(request, uid)
    number = whole_number(request.POST.get("number", "")) or 0

    def act() -> object:
        return actions.roll_back(template, actor(request), number, based_on=based_on(request))

    words = _("The mapping of version %(n)s is in use again.") % {"n": number}
    return _done(request, template, act, words)


@require_POST
@require(Role.ADMIN)
def template_clone(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Copy the template under another name."""
    template = templates.template_of(request, uid)
    form = CloneForm(request.POST, auto_id="id_clone_%s")
    if not form.is_valid():
        return templates.show(request, template, clone_form=form, status=422)
    try:
        copy = actions.clone(template, actor(request), form.cleaned_data["name"])
    except Refused as refused:
        more: dict[str, Any] = {"faults": refused.sentences, "clone_form": form}
        return templates.show(request, template, status=422, **more)
    messages.success(request, _("This is the copy. It has no file names yet."))
    return redirect("template", copy.uid)


@require_POST
@require(Role.ADMIN)
def template_delete(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete a template that no file ran with."""
    template = templates.template_of(request, uid)
    try:
        actions.delete(template, actor(request))
    except Refused as refused:
        return templates.show(request, template, faults=refused.sentences, status=422)
    messages.success(request, _("The template was deleted."))
    return redirect("templates")


@require_POST
@require(Role.MANAGER)
def template_replay(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """A dry run of a past file; its job's page shows what would happen."""
    template = templates.template_of(request, uid)
    form = ReplayForm(template, request.POST, auto_id="id_replay_%s")
    if not form.is_valid():
        return templates.show(request, template, replay_form=form, status=422)
    data = form.cleaned_data
    try:
        job = actions.replay(data["version"], actor(request), data["file"])
    except Refused as refused:
        return templates.show(request, template, faults=refused.sentences, status=422)
    messages.success(request, _("This dry run shows what would happen. It changes nothing."))
    return redirect("job", job.uid)
