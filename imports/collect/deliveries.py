"""What collecting shares, whatever the protocol: the folder, the sender, the rows and the job."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from imports.arrivals.decisions import Decision as Decided
from imports.arrivals.decisions import shown
from imports.arrivals.listing import Listing
from imports.collect import folders
from imports.jobs import outcome
from imports.manifest import free_name
from imports.models import Arrival, ArrivalFile, Decision, ImportJob, TemplateVersion
from portal.dropserver.jail import Jail
from portal.dropserver.paths import Path
from portal.models import Drop, Upload
from portal.records.definitions import Feed

# Jobs of one round wait for each other; this long if the round is cut off.
ROUND = timedelta(seconds=60)


@dataclass(slots=True)
class Folder:
    """A drop and the jail that its folder is reached through."""

    drop: Drop
    jail: Jail

    @property
    def path(self) -> Path:
        return folders.path_of(self.drop.path)

    def file(self, name: str) -> Path:
        return (*self.path, name)

    def listing(self) -> Listing:
        return folders.listing(self.jail, self.path)

    def free_name(self, name: str) -> str:
        """The name, or the first one with a number that nothing has, be it a link."""
        return free_name(name, folders.taken(self.jail, self.path))


def sender(folder: Folder, name: str) -> int | None:
    """The account that uploaded the manifest last."""
    path = f"{folder.drop.path}/{name}"
    uploads = Upload.objects.filter(endpoint_id=folder.drop.endpoint_id, path=path)
    newest = uploads.filter(state=Upload.State.COMPLETE).order_by("-started_at").first()
    return newest.account_id if newest else None


def is_first(row: ArrivalFile) -> bool:
    """Save the row; where this very file was taken before, as its duplicate."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        first = ArrivalFile.objects.get(
            source=row.source, sha256=row.sha256, problem="", duplicate_of=None
        )
        row.duplicate_of = first
        row.reason = (
            f"{shown(row.name)} is the same file that already arrived with "
            f"{shown(first.arrival.name)}. It is imported only once."
        )
        forget_copy(row)
        row.save()
        return False
    return True


def forget_copy(row: ArrivalFile) -> None:
    """What is not imported is not kept, once that is certain."""
    if row.content:
        transaction.on_commit(functools.partial(default_storage.delete, row.content))
        row.content = ""


def make_job(
    row: ArrivalFile,
    feed: Feed,
    limits: dict[str, Any],
    note: str,
    version: TemplateVersion | None = None,
) -> ImportJob:
    """The import job of a collected file; it may start when the round has ended.

    limits: the drop's. note: why it was taken, for the timeline. What the template's version says
    of limits and days is filled in when the job runs (`imports/jobs/instructions.py`).
    """
    job = ImportJob.objects.create(
        tenant_id=row.tenant_id,
        arrival_file=row,
        feed=feed.name,
        record_type=feed.record_type,
        rank=feed.rank,
        template_version=version,
        limits=limits,
        file_name=row.name,
        file_size=row.size or 0,
        sha256=row.sha256,
        content=row.content,
        ready_at=Now() + ROUND,
        kept_until=Now() + timedelta(days=settings.KEEP_FILES_DAYS),
    )
    outcome.moved(job, ImportJob.State.READY, note, "Collector")
    return job


def note(arrival: Arrival, decided: Decided) -> None:
    """Write a line of the delivery's log."""
    Decision.objects.create(
        tenant_id=arrival.tenant_id,
        arrival=arrival,
        subject=decided.subject[:300],
        verdict=decided.verdict[:40],
        reason=decided.reason,
    )
