"""Which job runs next: one at a time per tenant, in the order of the record types.

Jobs whose files arrived together are made ready together (`imports/collect/manifests.py`), so that
order by rank is dependency order and senders need not pause between files, as the seed asks of
them.
"""

from __future__ import annotations

import functools

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from imports.jobs import attachment, outcome
from imports.models import ImportJob
from portal import lifecycle, locks
from portal.locks import Lock
from portal.spool import Spool

State = ImportJob.State


def ready() -> QuerySet[ImportJob]:
    """Jobs that may be claimed: waiting and due, or running with a lease that has run out."""
    return ImportJob.objects.filter(
        Q(state__in=ImportJob.WAITING_STATES, ready_at__lte=Now())
        | Q(state=State.RUNNING, lease_until__lt=Now())
    )


def next_job(tenant_id: int) -> ImportJob | None:
    """Claim the tenant's next job, unless one of it runs. Gives up on jobs that died too often.

    Must be called in the tenant's scope.
    """
    return lifecycle.next_to_run(functools.partial(_claim, tenant_id), _give_up)


def _claim(tenant_id: int) -> ImportJob | None:
    return lifecycle.claim(
        _in_turn(tenant_id).order_by("rank", "created_at", "pk"),
        owner=lifecycle.owner(),
        state=State.RUNNING,
        guard=functools.partial(_alone, tenant_id),
    )


def _give_up(job: ImportJob) -> None:
    outcome.give_up(job)
    attachment.tidy(job)


def _in_turn(tenant_id: int) -> QuerySet[ImportJob]:
    """The tenant's jobs that no earlier one holds back.

    An errored job that waits for its next try is not overtaken: the rows of a newer file must win,
    and what refers to its rows must find them. It waits for some minutes at most, then it fails.
    """
    earlier = ImportJob.objects.filter(
        Q(rank__lt=OuterRef("rank")) | Q(rank=OuterRef("rank"), pk__lt=OuterRef("pk")),
        tenant_id=tenant_id,
        state=State.ERRORED,
        ready_at__gt=Now(),
    )
    return ready().filter(~Exists(earlier), tenant_id=tenant_id)


def _alone(tenant_id: int) -> bool:
    """Whether no job of the tenant runs; the lock makes the answer hold until the claim commits."""
    locks.hold_until_commit(Lock.CLAIM_JOB, tenant_id)
    return not running(ImportJob.objects.filter(tenant_id=tenant_id))


def running(jobs: QuerySet[ImportJob]) -> set[tuple[int, int]]:
    """The attempts among the jobs that run now, as (job, token).

    A job whose row is locked runs, whatever its lease says: it is applying (its heartbeat cannot
    prolong it then), its staging table is in use, and the next plan must see what it writes.
    """
    all_running = jobs.filter(state=State.RUNNING)
    expired = all_running.filter(lease_until__lt=Now())
    with transaction.atomic():
        free = set(
            expired.select_for_update(skip_locked=True, no_key=True).values_list("pk", "token")
        )
        return set(all_running.values_list("pk", "token")) - free


# Of all tenants in scope, for they share the workers' disks.
spool = Spool("job", lambda: running(ImportJob.objects.all()))
