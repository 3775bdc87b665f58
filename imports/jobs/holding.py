"""Whether a job's plan waits for a person, and what that person is shown.

The digests of a plan are made for a dry run, a hold and a release only: an ordinary job has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from imports.jobs.instructions import Instructions
from imports.jobs.outcome import ShownPlan
from imports.load import dependents, diff, limits, measure
from imports.load.dependents import Dependents
from imports.load.digests import digests
from imports.load.measure import PlannedFile
from imports.load.measured import Hold
from imports.load.released import Digests, changed, is_same
from imports.models import ImportJob


def digests_to_compare(job: ImportJob, file: PlannedFile) -> Digests | None:
    """The digests of a plan that a person has released or will be shown; None for other jobs."""
    return _digests(file) if job.released_plan or job.dry_run else None


def reasons(
    job: ImportJob,
    guards: Instructions,
    file: PlannedFile,
    header: Sequence[str],
    plan_digests: Digests | None,
) -> list[Hold]:
    """Why a person must look; the very plan that was released needs no second look.

    header: why the template asks because of the file's header; a release agrees to that.
    """
    released = job.released_plan
    if not released:
        return [*limits.of_header(header), *_measured(job, guards, file)]
    plan_digests = plan_digests or {}
    if is_same(plan_digests, released):
        return []
    since = _planned_at(released)
    changers = measure.changers(file, since) if since else []
    return [
        *changed(file.plan, plan_digests, released, changers),
        *_measured(job, guards, file),
    ]


def shown(
    job: ImportJob,
    file: PlannedFile,
    plan_digests: Digests | None,
    depending: Sequence[Dependents],
) -> ShownPlan:
    """The first rows of the plan, and its digests. What changed since a release comes first.

    depending: what refers to the records that the plan removes.
    """
    detail = diff.detail(file, _planned_at(job.released_plan or {}))
    detail["dependents"] = dependents.as_json(depending)
    return ShownPlan(detail, _digests(file) if plan_digests is None else plan_digests)


def _measured(job: ImportJob, guards: Instructions, file: PlannedFile) -> list[Hold]:
    return measure.holds(job, file, guards.limits, guards.limits_per)


def _digests(file: PlannedFile) -> dict[str, str]:
    return digests(file.staging, file.target, file.staged, file.absent)


def _planned_at(released: Mapping[str, Any]) -> datetime | None:
    """When the plan that a person released was made; an older portal did not note it."""
    text = released.get("planned_at")
    return datetime.fromisoformat(text) if text else None
