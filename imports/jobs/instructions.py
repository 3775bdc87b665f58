"""How a job is to be carried out: its feed and record type, as its template's version has them.

A job of the wizard that has no saved template carries its spec itself. What the job has of its own
(a person's limits, another operation) takes precedence over its folder's limits, and these over the
template's settings. Neither is ever copied into the job: run again after a correction, it has what
holds then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings

from imports.issues import Code, FileRefused, Issue
from imports.jobs import pinned_lookups
from imports.mapping.definitions import BadSpec, Settings, Spec
from imports.mapping.effective import applied, extended
from imports.mapping.parsing import parse
from imports.models import ImportJob, TemplateVersion
from portal.models import Drop
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Operation, RecordType


@dataclass(frozen=True, slots=True)
class Instructions:
    """feed, record_type: with the template's settings and own fields. plain_feed, plain_type: the
    catalog's, with the job's operation. spec: None for a file that is matched by its names.

    limits, limits_per, absent_scope: the template's, the folder's and the job's own, as the model
    has them."""

    feed: Feed
    record_type: RecordType
    plain_feed: Feed
    plain_type: RecordType
    spec: Spec | None = None
    limits: Mapping[str, str | int] = field(default_factory=dict)
    limits_per: Mapping[str, Any] | None = None
    absent_scope: str = ""


def of_job(job: ImportJob) -> Instructions:
    """The job's instructions. Raises FileRefused where its template cannot be read."""
    feed, record_type = catalog().feed(job.feed), catalog().record_type(job.record_type)
    spec = _spec(job)
    operation = Operation(job.operation) if job.operation else None
    if spec is None:
        feed = replace(feed, operation=operation) if operation else feed
        return Instructions(feed, record_type, feed, record_type, **_guards(job, None))
    if operation is not None:
        spec = replace(spec, settings=replace(spec.settings, operation=operation))
    applied_feed, extended_type = applied(spec, feed), extended(record_type, spec.own_fields)
    guards = _guards(job, spec.settings)
    return Instructions(applied_feed, extended_type, feed, record_type, spec, **guards)


def _guards(job: ImportJob, written: Settings | None) -> dict[str, Any]:
    """What bounds the job: the template's settings, `own_limits` before them."""
    if written is None:
        limits = own_limits(job)
        return {"limits": limits, "limits_per": job.limits_per, "absent_scope": job.absent_scope}
    per = written.limits_per
    template_per = {"field": per.field, "limits": dict(per.limits)} if per else None
    return {
        "limits": {**written.limits, **own_limits(job)},
        "limits_per": job.limits_per or template_per,
        "absent_scope": job.absent_scope or written.absent_scope or "",
    }


def own_limits(job: ImportJob) -> dict[str, Any]:
    """The limits that do not come from a template: the folder's as they are now, before them the
    job's own, and before both those that a person raised at the release."""
    folder, raised = folder_of(job), (job.released_plan or {}).get("limits", {})
    return {**(folder.limits if folder else {}), **job.limits, **raised}


def folder_of(job: ImportJob) -> Drop | None:
    """The folder that the job's file came into, or the file that it corrects; None without one."""
    origin: ImportJob | None = job
    while origin is not None and origin.arrival_file is None:
        origin = origin.corrects
    return origin.arrival_file.arrival.drop if origin and origin.arrival_file else None


def _spec(job: ImportJob) -> Spec | None:
    written = job.template_version.spec if job.template_version else job.spec
    if not written:
        return None
    try:
        return parse(written)
    except BadSpec as bad:
        issues = (
            Issue(Code.BAD_TEMPLATE, f"{fault} Correct the template.") for fault in bad.sentences
        )
        raise FileRefused(*issues) from bad


def columns_from_template(job: ImportJob, spec: Spec | None) -> dict[str, Any]:
    """The columns of the job that its template's version fills: look-up tables, and days to keep.

    Filling them twice changes nothing. A dry run keeps its file as long as its original does, and
    a job of the wizard as long as it was made for.
    """
    if spec is None:
        return {}
    columns: dict[str, Any] = {"lookups": pinned_lookups.versions_of(job, spec)}
    if job.template_version_id is not None and not job.dry_run:
        days = spec.settings.keep_days or settings.KEEP_FILES_DAYS
        columns["kept_until"] = job.created_at + timedelta(days=days)
    return columns


def settings_of(version: TemplateVersion) -> dict[str, Any]:
    """The version's settings; empty where it has none."""
    spec = version.spec if isinstance(version.spec, dict) else {}
    written = spec.get("settings")
    return written if isinstance(written, dict) else {}
