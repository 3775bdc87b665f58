"""How a job is to be carried out: its feed and record type, as its template's version has them.

A job of the wizard that has no saved template carries its spec itself. What the job has of its own
(limits of a drop or a person, another operation) takes precedence over the template.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from imports.issues import Code, FileRefused, Issue
from imports.jobs import pinned_lookups
from imports.mapping.definitions import BadSpec, Spec
from imports.mapping.effective import applied, extended
from imports.mapping.parsing import parse
from imports.models import ImportJob, TemplateVersion
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Operation, RecordType


@dataclass(frozen=True, slots=True)
class Instructions:
    """feed, record_type: with the template's settings and own fields. plain_feed, plain_type: the
    catalog's, with the job's operation. spec: None for a file that is matched by its names."""

    feed: Feed
    record_type: RecordType
    plain_feed: Feed
    plain_type: RecordType
    spec: Spec | None = None


def of_job(job: ImportJob) -> Instructions:
    """The job's instructions. Raises FileRefused where its template cannot be read."""
    feed, record_type = catalog().feed(job.feed), catalog().record_type(job.record_type)
    spec = _spec(job)
    operation = Operation(job.operation) if job.operation else None
    if spec is None:
        feed = replace(feed, operation=operation) if operation else feed
        return Instructions(feed, record_type, feed, record_type)
    if operation is not None:
        spec = replace(spec, settings=replace(spec.settings, operation=operation))
    applied_feed, extended_type = applied(spec, feed), extended(record_type, spec.own_fields)
    return Instructions(applied_feed, extended_type, feed, record_type, spec)


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
    """The columns of the job that its template's settings fill, where the job has no value itself.

    Filling them twice changes nothing. A dry run keeps its file as long as its original does.
    """
    if spec is None:
        return {}
    settings = spec.settings
    per = settings.limits_per
    columns: dict[str, Any] = {
        "absent_scope": job.absent_scope or settings.absent_scope or "",
        "limits": {**settings.limits, **job.limits},
        "limits_per": job.limits_per
        or ({"field": per.field, "limits": dict(per.limits)} if per else None),
        "lookups": pinned_lookups.versions_of(job, spec),
    }
    if settings.keep_days is not None and not job.dry_run:
        columns["kept_until"] = job.created_at + timedelta(days=settings.keep_days)
    return columns


def settings_of(version: TemplateVersion) -> dict[str, Any]:
    """The version's settings; empty where it has none."""
    spec = version.spec if isinstance(version.spec, dict) else {}
    settings = spec.get("settings")
    return settings if isinstance(settings, dict) else {}
