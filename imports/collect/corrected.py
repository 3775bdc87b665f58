"""Error attachments that come back through a folder: whose rows they bring, and what that means."""

from __future__ import annotations

from typing import Any

from imports.arrivals.names import corrected_name
from imports.jobs import corrections
from imports.models import ArrivalFile, ImportJob, TemplateVersion
from portal.dropserver.rights import ERRORS_ENDING
from portal.records.definitions import Feed


def columns(row: ArrivalFile, feed: Feed, version: TemplateVersion | None) -> dict[str, Any]:
    """The columns of the job of a file that is named like an error attachment; none for others."""
    if not corrected_name(row.name):
        return {}
    original = _original(row)
    return {
        "corrects": original,
        "operation": corrections.operation_of_part(original, feed, version),
    }


def _original(row: ArrivalFile) -> ImportJob | None:
    """The last job of the file whose rows were rejected."""
    jobs = ImportJob.objects.filter(
        arrival_file__arrival__drop=row.arrival.drop_id,
        arrival_file__name__in={row.name.removesuffix(ERRORS_ENDING), corrected_name(row.name)},
    )
    expected = (job for job in jobs.order_by("-pk")[:10] if corrections.expected(job))
    return next(expected, None)
