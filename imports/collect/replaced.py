"""Deliveries that were overwritten before they were taken: shown, and told in the next receipt.

A file of a template account is the delivery. Where the sender puts another one under its name
before the portal has taken it, the first is gone from the folder; it must not be gone in silence.
"""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.db.models.functions import Now

from imports.arrivals.decisions import DecisionEntry, Verdict, minute, shown
from imports.collect import uploads
from imports.collect.account_templates import AccountTemplates
from imports.collect.deliveries import Folder, log_decision
from imports.jobs import mail
from imports.models import Arrival, ArrivalFile
from portal.models import Upload

_MOST = 20


def record(folder: Folder, templates: AccountTemplates) -> None:
    """Make an arrival of each upload that a template names and that was overwritten untaken."""
    for upload in uploads.replaced(folder):
        with transaction.atomic():
            if not Upload.objects.filter(pk=upload.pk, replaced_checked=False).update(
                replaced_checked=True
            ):
                continue
            if _is_lost(folder, upload, templates):
                _show(folder, upload)


def lost_before(file: ArrivalFile) -> tuple[ArrivalFile, ...]:
    """The files of that name that were overwritten since the delivery of that name before."""
    same = ArrivalFile.objects.filter(arrival__drop=file.arrival.drop_id, name=file.name)
    earlier = same.filter(pk__lt=file.pk)
    last = earlier.exclude(problem=Verdict.REPLACED).order_by("-pk").first()
    lost = earlier.filter(problem=Verdict.REPLACED, pk__gt=last.pk if last else 0)
    return tuple(lost.order_by("pk")[:_MOST])


def _is_lost(folder: Folder, upload: Upload, templates: AccountTemplates) -> bool:
    """Whether it was a delivery that nobody took. An empty file has nothing to lose."""
    if uploads.name_in(folder, upload) not in templates.names or not upload.size:
        return False
    taken = ArrivalFile.objects.filter(tenant_id=folder.drop.tenant_id, source=upload.source)
    return bool(upload.source) and not taken.exists()


def _show(folder: Folder, upload: Upload) -> None:
    name = uploads.name_in(folder, upload)
    zone = folder.drop.tenant.zone
    at = minute(upload.replaced_at, zone) if upload.replaced_at else ""
    reason = (
        f"An earlier upload of {shown(name)} ({upload.size:,} bytes) was overwritten at {at}, "
        "before the portal had taken it: it was not imported. If its rows are not in the later "
        "file, send them again."
    )
    key = hashlib.sha256(f"replaced:{upload.pk}".encode()).hexdigest()
    arrival = Arrival.objects.create(
        tenant_id=folder.drop.tenant_id,
        drop=folder.drop,
        account_id=upload.account_id,
        identity=key,
        name=name[:300],
        state=Arrival.State.REPLACED,
        settled_at=Now(),
    )
    ArrivalFile.objects.create(
        tenant_id=arrival.tenant_id,
        arrival=arrival,
        index=0,
        name=name[:300],
        problem=Verdict.REPLACED,
        reason=reason,
        size=upload.size,
    )
    log_decision(arrival, DecisionEntry(name, Verdict.REPLACED, reason))
    mail.not_taken(arrival, f"{shown(name)} was overwritten before it was taken", reason)
