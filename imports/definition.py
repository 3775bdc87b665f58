"""What a job's file is read by: its feed and record type, and its template's spec if it has one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imports.models import ImportJob
from imports.templates.effective import applied, extended
from imports.templates.spec import Spec, parse
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Operation, RecordType


@dataclass(frozen=True, slots=True)
class Definition:
    """declared, declared_type: the catalog's; feed, record_type: as the spec has them."""

    declared: Feed
    declared_type: RecordType
    feed: Feed
    record_type: RecordType
    spec: Spec | None


def of(job: ImportJob) -> Definition:
    """The job's definition. Raises KeyError for a feed that the catalog does not have.

    The job's own operation, where it has one, goes before the spec's and the feed's.
    """
    feed = catalog().feed(job.feed)
    if job.operation:
        feed = replace(feed, operation=Operation(job.operation))
    record_type = catalog().record_type(feed.record_type)
    spec = spec_of(job)
    if spec is None:
        return Definition(feed, record_type, feed, record_type, None)
    return Definition(
        feed, record_type, applied(spec, feed), extended(record_type, spec.own_fields), spec
    )


def spec_of(job: ImportJob) -> Spec | None:
    """The spec of the job's template version, or its own; None where the names alone decide.

    Raises BadSpec: what was saved was valid, so that is our fault.
    """
    written = job.spec if job.template_version is None else job.template_version.spec
    return parse(written) if written else None
