"""All reading of import templates for pages and the API. Tenant first."""

from __future__ import annotations

import uuid

from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from imports.models import ImportJob, ImportTemplate, TemplateVersion
from portal.models import Tenant

MOST_FILES = 50


def templates(tenant: Tenant, name: str = "") -> QuerySet[ImportTemplate]:
    """The tenant's templates by name, with `last_used`. name: part of its or of a file's name."""
    found = ImportTemplate.objects.filter(tenant=tenant).select_related("account", "current")
    if name:
        found = found.filter(Q(name__icontains=name) | Q(file_names__icontains=name))
    used = Max("versions__jobs__created_at", filter=Q(versions__jobs__dry_run=False))
    return found.annotate(last_used=used).order_by("name", "pk")


def template(tenant: Tenant, uid: uuid.UUID) -> ImportTemplate | None:
    """The tenant's template; None where there is none."""
    found = ImportTemplate.objects.filter(tenant=tenant, uid=uid)
    return found.select_related("account", "current", "tenant").first()


def versions(template: ImportTemplate) -> QuerySet[TemplateVersion]:
    """Its versions, newest first, with who made them."""
    return template.versions.select_related("user").order_by("-number")


def jobs(template: ImportTemplate) -> QuerySet[ImportJob]:
    """The jobs that ran with it, newest first, dry runs too; not their long columns."""
    found = ImportJob.objects.filter(
        tenant_id=template.tenant_id, template_version__template=template
    )
    return found.select_related("template_version").defer("plan_detail").order_by("-id")


def past_files(template: ImportTemplate) -> QuerySet[ImportJob]:
    """Jobs whose file is still kept and could be tried with the template, newest first."""
    found = ImportJob.objects.filter(tenant_id=template.tenant_id, feed=template.feed)
    found = found.filter(dry_run=False, undoes=None).exclude(content="")
    kept = Q(kept_until=None) | Q(kept_until__gt=Now())
    return found.filter(kept).defer("plan_detail").order_by("-id")
