"""Import templates: the list, and one template with its mapping, versions and files."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from imports.mapping.spec import (
    BadSpec,
    Change,
    Spec,
    diff,
    parse,
    reading_words,
    settings_words,
    source_words,
)
from imports.models import ImportTemplate, TemplateVersion
from imports.templates import actions, queries
from imports.web.template_forms import CloneForm, IdentityForm, ReplayForm, YamlForm
from portal import audit
from portal.models import Role
from portal.web import address, labels
from portal.web.acting import or_404
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50
_RECENT = 10


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions and what changed from one to the other."""

    older: TemplateVersion
    newer: TemplateVersion
    changes: list[Change]


@require_GET
@require(Role.VIEWER)
def template_list(request: TenantRequest) -> HttpResponse:
    """The templates by name."""
    return show_list(request, YamlForm())


def show_list(
    request: TenantRequest, form: YamlForm, faults: list[str] | None = None, status: int = 200
) -> HttpResponse:
    """The list. form, faults: of an upload that was refused."""
    name = request.GET.get("name", "").replace("\x00", "")[:300]
    pages = Paginator(queries.templates(request.tenant, name), PER_PAGE)
    context = {
        "section": "templates",
        "tab": "templates",
        "page": pages.get_page(request.GET.get("page")),
        "name": name,
        "form": form,
        "faults": faults,
        "new": reverse("import-new"),
    }
    return render(request, "imports/templates.html", context, status=status)


def template_of(request: TenantRequest, uid: uuid.UUID) -> ImportTemplate:
    """The tenant's template. Raises Http404."""
    return or_404(queries.template(request.tenant, uid))


def show(
    request: TenantRequest,
    template: ImportTemplate,
    *,
    faults: list[str] | None = None,
    status: int = 200,
    **forms: Any,
) -> HttpResponse:
    """The page. faults: why a change was refused; forms: those that were sent."""
    versions = list(queries.versions(template))
    spec, unreadable = _read(template.current)
    context = {
        "section": "templates",
        "template": template,
        "versions": versions,
        "spec": spec,
        "unreadable": unreadable,
        "reading": reading_words(spec) if spec else [],
        "settings": settings_words(spec) if spec else [],
        "fields": _fields(template, spec) if spec else [],
        "own_fields": spec.own_fields if spec else (),
        "compared": _compared(request, versions),
        "jobs": queries.jobs(template)[:_RECENT],
        "feed_label": labels.feed_label(template.feed),
        "identity_form": IdentityForm.of(template),
        "yaml_form": YamlForm(auto_id="id_yaml_%s"),
        "clone_form": CloneForm(auto_id="id_clone_%s"),
        "replay_form": ReplayForm(template, auto_id="id_replay_%s"),
        "has_files": queries.past_files(template).exists(),
        "faults": faults,
        **forms,
    }
    return render(request, "imports/template.html", context, status=status)


@require_GET
@require(Role.VIEWER)
def template_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """One template. `older` and `newer` in the address: the versions to compare."""
    return show(request, template_of(request, uid))


def _fields(template: ImportTemplate, spec: Spec) -> list[tuple[str, str]]:
    """Each field and where its value comes from, in the order of the record type."""
    order = {name: place for place, name in enumerate(labels.feed_fields(template.feed))}
    names = sorted(spec.fields, key=lambda name: (order.get(name, len(order)), name))
    return [(name, source_words(spec.fields[name])) for name in names]


def _read(version: TemplateVersion | None) -> tuple[Spec | None, list[str]]:
    """The version's spec, or its faults: an older portal's version may no longer be readable."""
    if version is None:
        return None, []
    try:
        return parse(version.spec), []
    except BadSpec as bad:
        return None, bad.sentences


def _compared(request: TenantRequest, versions: list[TemplateVersion]) -> Compared | None:
    """The differences between the two versions in the address; else of the newest version."""
    if len(versions) < 2:
        return None
    by_number = {str(version.number): version for version in versions}
    older = by_number.get(request.GET.get("older", ""), versions[1])
    newer = by_number.get(request.GET.get("newer", ""), versions[0])
    before, after = _read(older)[0], _read(newer)[0]
    return Compared(older, newer, diff(before, after)) if before and after else None


@require_GET
@require(Role.MANAGER)
def template_yaml(request: TenantRequest, uid: uuid.UUID, number: int) -> HttpResponse:
    """A version as a YAML file."""
    template = template_of(request, uid)
    versions = template.versions.filter(number=number).select_related("template")
    version = or_404(versions.first())
    try:
        text = actions.as_yaml(version)
    except BadSpec as bad:
        return show(request, template, faults=bad.sentences, status=422)
    audit.record(
        template.tenant_id, "template.download", str(template.uid),
        user=request.user, address=address.client(request) or None,
        name=template.name, version=number,
    )  # fmt: skip
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="template-v{number}.yaml"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
