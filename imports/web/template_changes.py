"""What is done to import templates from their pages; every refusal says why, with all faults."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from imports.mapping.definitions import BadSpec
from imports.models import ImportTemplate
from imports.templates import actions as acts
from imports.templates.rules import Refused
from imports.web import templates
from imports.web.template_forms import CloneForm, FaceForm, ReplayForm, YamlForm
from portal.models import Role
from portal.web import address
from portal.web.permissions import TenantRequest, require


def _actor(request: TenantRequest) -> acts.Actor:
    return acts.Actor(request.user, address.client(request) or None)


def _based_on(request: TenantRequest) -> int:
    """The version that the page showed; 0, which fits none, where it cannot be read."""
    text = request.POST.get("based_on", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _done(
    request: TenantRequest, template: ImportTemplate, act: Callable[[], object], words: str
) -> HttpResponse:
    """Do it and show the template, or show why not."""
    try:
        act()
    except (Refused, BadSpec) as refused:
        fresh = templates.found(request, template.uid)
        return templates.show(request, fresh, faults=refused.faults, status=422)
    messages.success(request, words)
    return redirect("template", template.uid)


def _text(form: YamlForm) -> str:
    """The uploaded text. Raises Refused where there is none or it is no text."""
    if not form.is_valid():
        raise Refused(*(str(error) for error in form.errors.get("file", ())))
    try:
        return form.text()
    except UnicodeDecodeError as fault:
        raise Refused(
            f"file: found bytes that are not text at byte {fault.start + 1:,}, expected UTF-8."
        ) from fault


@require_POST
@require(Role.ADMIN)
def template_upload(request: TenantRequest) -> HttpResponse:
    """A new template from a YAML file."""
    form = YamlForm(request.POST, request.FILES)
    try:
        made = acts.from_yaml(request.tenant, _actor(request), _text(form))
    except (Refused, BadSpec) as refused:
        return templates.show_list(request, YamlForm(), refused.faults, status=422)
    messages.success(request, _("Template created. Choose the account whose files it imports."))
    return redirect("template", made.uid)


@require_POST
@require(Role.ADMIN)
def version_upload(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """A new version from a YAML file."""
    template, form = templates.found(request, uid), YamlForm(request.POST, request.FILES)

    def act() -> object:
        return acts.save_yaml(template, _actor(request), _text(form), based_on=_based_on(request))

    return _done(request, template, act, _("The new version was saved and is in use."))


@require_POST
@require(Role.ADMIN)
def template_change(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Change the name, the account and the file names."""
    template, form = templates.found(request, uid), FaceForm(request.tenant, request.POST)
    if not form.is_valid():
        return templates.show(request, template, face_form=form, status=422)
    try:
        acts.change(template, _actor(request), form.face())
    except Refused as refused:
        fresh = templates.found(request, uid)
        return templates.show(request, fresh, face_form=form, faults=refused.faults, status=422)
    messages.success(request, _("Saved."))
    return redirect("template", uid)


@require_POST
@require(Role.ADMIN)
def template_enabled(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Enable or disable the template, as `to` says."""
    template, to = templates.found(request, uid), request.POST.get("to") == "enabled"
    words = (
        _("Files with its names are imported automatically.")
        if to
        else _("Files with its names are no longer imported.")
    )
    return _done(request, template, lambda: acts.set_enabled(template, _actor(request), to), words)


@require_POST
@require(Role.ADMIN)
def template_rollback(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Make an older version the newest one again."""
    template = templates.found(request, uid)
    number = request.POST.get("number", "")
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0
    based_on = _based_on(request)

    def act() -> object:
        return acts.roll_back(template, _actor(request), wanted, based_on=based_on)

    words = _("The mapping of version %(n)s is in use again.") % {"n": wanted}
    return _done(request, template, act, words)


@require_POST
@require(Role.ADMIN)
def template_clone(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Copy the template under another name."""
    template, form = templates.found(request, uid), CloneForm(request.POST, auto_id="id_clone_%s")
    if not form.is_valid():
        return templates.show(request, template, clone_form=form, status=422)
    try:
        made = acts.clone(template, _actor(request), form.cleaned_data["name"])
    except (Refused, BadSpec) as refused:
        more: dict[str, Any] = {"faults": refused.faults, "clone_form": form}
        return templates.show(request, template, status=422, **more)
    messages.success(request, _("This is the copy. It has no file names yet."))
    return redirect("template", made.uid)


@require_POST
@require(Role.ADMIN)
def template_delete(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete a template that no file ran with."""
    template = templates.found(request, uid)
    try:
        acts.delete(template, _actor(request))
    except Refused as refused:
        return templates.show(request, template, faults=refused.faults, status=422)
    messages.success(request, _("The template was deleted."))
    return redirect("templates")


@require_POST
@require(Role.MANAGER)
def template_replay(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """A dry run of a past file; its job's page shows what would happen."""
    template = templates.found(request, uid)
    form = ReplayForm(template, request.POST, auto_id="id_replay_%s")
    if not form.is_valid():
        return templates.show(request, template, replay_form=form, status=422)
    data = form.cleaned_data
    try:
        asked = acts.replay(data["version"], _actor(request), data["file"])
    except Refused as refused:
        return templates.show(request, template, faults=refused.faults, status=422)
    messages.success(request, _("This dry run shows what would happen. It changes nothing."))
    return redirect("job", asked.uid)
