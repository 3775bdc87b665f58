"""What one file of a folder may do before a person is asked: seen and changed. Tenant first.

Folders whose files come with manifests have limits of their own; for any other file the template
has them. The caller (page or command) checks who may. A job looks its folder's limits up when it
runs (`imports/jobs/instructions.py`), so that a change holds for the next file and for one that is
tried again.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet

from imports.mapping.limit_parsing import parse_limits
from imports.models import ImportJob
from portal import audit
from portal.changes import ChangedMeanwhile, fingerprint
from portal.faults import Fault
from portal.models import Drop, Tenant, User


def folders(tenant: Tenant) -> QuerySet[Drop]:
    """The tenant's folders that take files with manifests, by path."""
    rows = Drop.objects.filter(tenant=tenant, protocol=Drop.Protocol.MANIFEST)
    return rows.select_related("endpoint").order_by("path", "pk")


def folder(tenant: Tenant, number: int) -> Drop | None:
    """The tenant's folder of that row number; None where there is none."""
    return folders(tenant).filter(pk=number).first()


def held(drop: Drop) -> QuerySet[ImportJob]:
    """The held jobs of the folder's files, newest first, without their long columns."""
    rows = ImportJob.objects.filter(tenant_id=drop.tenant_id, arrival_file__arrival__drop=drop)
    return rows.filter(state=ImportJob.State.HELD).defer("plan_detail").order_by("-id")


def change(
    drop: Drop,
    limits: Mapping[str, object],
    *,
    seen: str | None = None,
    user: User | None = None,
    address: str | None = None,
) -> Drop:
    """Replace the folder's limits, and return its row.

    seen: the fingerprint of the limits that the person saw; None where nobody looked before.
    Raises Refused with a fault for each limit that is not one, ChangedMeanwhile.
    """
    parsed = dict(parse_limits(limits))
    with transaction.atomic():
        rows = Drop.objects.filter(tenant_id=drop.tenant_id, pk=drop.pk)
        fresh = rows.select_for_update(no_key=True, of=("self",)).get()
        if seen is not None and seen != fingerprint(fresh.limits):
            raise _changed(fresh, parsed)
        before = fresh.limits
        if before != parsed:
            fresh.limits = parsed
            fresh.save(update_fields=["limits"])
            audit.record(
                fresh.tenant_id, "folder.limits", fresh.path,
                user=user, address=address, feed=fresh.feed, old=before, new=parsed,
            )  # fmt: skip
    return fresh


def _changed(fresh: Drop, parsed: Mapping[str, int | str]) -> ChangedMeanwhile:
    message = (
        "Somebody else has changed the limits of this folder since you opened the page. Nothing "
        "was saved."
    )
    names = {**fresh.limits, **parsed}
    differs = [name for name in names if fresh.limits.get(name) != parsed.get(name)]
    return ChangedMeanwhile(Fault((), "changed_meanwhile", message), differs=differs)
