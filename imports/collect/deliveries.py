"""What collecting shares, whatever the protocol: the folder, the uploader, rows and decisions."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from imports.arrivals.decisions import DecisionEntry, shown
from imports.arrivals.listing import Listing
from imports.collect import folders
from imports.manifest import free_name
from imports.models import Arrival, ArrivalFile, Decision
from portal.dropserver.jail import Jail
from portal.dropserver.paths import Path
from portal.models import Drop, Upload

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
        """The name, or the first numbered one that nothing in the folder has, not even a link."""
        return free_name(name, folders.taken(self.jail, self.path))


def uploader(folder: Folder, name: str) -> int | None:
    """The account that uploaded the manifest last."""
    path = f"{folder.drop.path}/{name}"
    uploads = Upload.objects.filter(endpoint_id=folder.drop.endpoint_id, path=path)
    newest = uploads.filter(state=Upload.State.COMPLETE).order_by("-started_at").first()
    return newest.account_id if newest else None


def save_unless_duplicate(row: ArrivalFile) -> bool:
    """Save the row, as a duplicate where this very file was taken before. Returns if it was not."""
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
    """Delete the copy of a file that is not imported, on commit."""
    if row.content:
        transaction.on_commit(functools.partial(default_storage.delete, row.content))
        row.content = ""


def log_decision(arrival: Arrival, decided: DecisionEntry) -> None:
    """Add a line to the delivery's log."""
    Decision.objects.create(
        tenant_id=arrival.tenant_id,
        arrival=arrival,
        subject=decided.subject[:300],
        verdict=decided.verdict[:40],
        reason=decided.reason,
    )
