"""Deliveries with their files and decisions, and the files that are in the folders right now."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from portal.lifecycle import Leased
from portal.models import Account, Drop, Endpoint, TenantOwned


class Arrival(TenantOwned, Leased):
    """One detected, complete delivery: a manifest with its files, or one file for a template.

    identity: what makes the delivery one (drop, the manifest's or the file's inode, time, size and
    bytes); UNIQUE, so that two collectors or ten messages make one arrival. name: the manifest's or
    file's name as sent. current_name: its name in the folder now, empty once removed. A file that
    no template names is UNMATCHED, and goes on from there when its name or a template changes. One
    that was overwritten before it was taken is REPLACED; it has a row, and no copy.
    """

    class State(models.TextChoices):
        COLLECTING = "collecting", _("Being collected")
        PROCESSING = "processing", _("Files are being imported")
        DONE = "done", _("Done")
        INVALID_FILES = "invalid_files", _("Some references are invalid")
        INVALID_SCHEMA = "invalid_schema", _("The manifest is not valid")
        CONFIG_MISSING = "config_missing", _("Configuration missing")
        UNMATCHED = "unmatched", _("No matching template")
        REPLACED = "replaced", _("Replaced before it was picked up")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    drop = models.ForeignKey(Drop, on_delete=models.CASCADE, related_name="arrivals")
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="+")
    identity = models.CharField(max_length=200)
    name = models.CharField(max_length=300)
    current_name = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.COLLECTING)
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "identity"], name="one_arrival_per_delivery")
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="arrival_newest"),
            # Read by the collector: deliveries whose files or manifest are still in the folder.
            models.Index(
                fields=["drop"], name="arrival_unsettled", condition=models.Q(settled_at=None)
            ),
        ]


class ArrivalFile(TenantOwned):
    """One file that a delivery names. problem: the INVALID value, empty where it is good.

    content: storage name of the snapshot. source: inode, mtime_ns and size of the file in the
    folder, for compare-and-delete. duplicate_of: the file row that took this very file before.
    reported_state: the state that the result file in the folder gives, empty while there is none.
    """

    arrival = models.ForeignKey(Arrival, on_delete=models.CASCADE, related_name="files")
    index = models.IntegerField()
    name = models.CharField(max_length=300)
    problem = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)
    size = models.BigIntegerField(null=True)
    md5 = models.CharField(max_length=32, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    content = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=120, blank=True)
    duplicate_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    reported_state = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arrival", "index"], name="one_row_per_reference"),
            models.UniqueConstraint(
                fields=["tenant", "source", "sha256"],
                condition=models.Q(problem="", duplicate_of=None),
                name="one_snapshot_per_file",
            ),
        ]
        # Read by the collector: which of the files in the folder were taken already.
        indexes = [models.Index(fields=["tenant", "source"], name="file_by_source")]


class Decision(TenantOwned):
    """One line of a delivery's log: about which file, what was decided, and why."""

    arrival = models.ForeignKey(Arrival, on_delete=models.CASCADE, related_name="decisions")
    at = models.DateTimeField(db_default=Now())
    subject = models.CharField(max_length=300)
    verdict = models.CharField(max_length=40)
    reason = models.TextField()


class Sighting(TenantOwned):
    """A file in the folders that no delivery took, with the reason: why it was not picked up.

    One row per file; the collector renews it. gone_at: when it was no longer there. is_exact:
    whether the path is the file's own, and not a form of it that can be written down.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="+")
    drop = models.ForeignKey(Drop, on_delete=models.CASCADE, null=True, related_name="+")
    path = models.CharField(max_length=1000)
    is_exact = models.BooleanField(default=True)
    size = models.BigIntegerField(default=0)
    verdict = models.CharField(max_length=40)
    reason = models.TextField()
    first_seen = models.DateTimeField(db_default=Now())
    last_seen = models.DateTimeField(db_default=Now())
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "path"],
                condition=models.Q(gone_at=None),
                name="one_sighting_per_file",
            )
        ]
        indexes = [models.Index(fields=["tenant", "-last_seen"], name="sighting_newest")]
