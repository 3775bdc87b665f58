"""All reading of import templates for pages and the API. Tenant first."""

from __future__ import annotations

import uuid

from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from imports.models import ImportJob, ImportTemplate, TemplateVersion
from portal.models import Tenant

MOST_FILES = 50


def templates(tenant: Tenant, name: str = "") -> QuerySet[ImportTemplate]:
    """The tenant's templates by name, with `last_used`. name: a part of it or a file's name."""
    rows = ImportTemplate.objects.filter(tenant=tenant).select_related("account", "current")
    if name:
        rows = rows.filter(Q(name__icontains=name) | Q(file_names__icontains=name))
    used = Max("versions__jobs__created_at", filter=Q(versions__jobs__dry_run=False))
    return rows.annotate(last_used=used).order_by("name", "pk")


def template(tenant: Tenant, uid: uuid.UUID) -> ImportTemplate | None:
    """The tenant's template; None where there is none."""
    rows = ImportTemplate.objects.filter(tenant=tenant, uid=uid)
    return rows.select_related("account", "current", "tenant").first()


def versions(template: ImportTemplate) -> QuerySet[TemplateVersion]:
    """Its versions, newest first, with who made them."""
    return template.versions.select_related("user").order_by("-number")


def jobs(template: ImportTemplate) -> QuerySet[ImportJob]:
    """The jobs that ran with it, dry runs too, newest first, without their long columns."""
    rows = ImportJob.objects.filter(
        tenant_id=template.tenant_id, template_version__template=template
    )
    return rows.select_related("template_version").defer("plan_detail").order_by("-id")


def past_files(template: ImportTemplate) -> QuerySet[ImportJob]:
    """Jobs whose file is still kept and could be tried with the template, newest first."""
    rows = ImportJob.objects.filter(tenant_id=template.tenant_id, feed=template.feed)
    rows = rows.filter(dry_run=False, undoes=None).exclude(content="")
    kept = Q(kept_until=None) | Q(kept_until__gt=Now())
    return rows.filter(kept).defer("plan_detail").order_by("-id")
