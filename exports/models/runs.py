"""Export runs and their deliveries: a file written once, and each place that it has to reach."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from exports.models.definitions import Export, Server
from portal.lifecycle import Leased
from portal.models import TenantOwned, User


class ExportRun(TenantOwned, Leased):
    """One file of an export: READY → RUNNING → WRITTEN | EMPTY | FAILED; ERRORED is tried again.

    local_date: the calendar day in the export's zone that is covered; window_start, window_end: the
    same as instants, the end not included. There is one NIGHTLY run for a date; a person starts a
    RERUN or a BACKFILL. definition: the export as it was when the run was made. snapshot:
    pg_snapshot of what the file holds; previous: that of the nightly run before, empty for the
    first and for runs that a person started. content: storage name of the frozen file.
    """

    class Kind(models.TextChoices):
        NIGHTLY = "nightly", _("Nightly")
        RERUN = "rerun", _("Run now")
        BACKFILL = "backfill", _("Past date")

    class State(models.TextChoices):
        READY = "ready", _("Waiting")
        RUNNING = "running", _("Being written")
        ERRORED = "errored", _("Will be retried")
        WRITTEN = "written", _("Written")
        EMPTY = "empty", _("Nothing to send")
        FAILED = "failed", _("Failed")

    WAITING_STATES = (State.READY, State.ERRORED)
    FINAL_STATES = (State.WRITTEN, State.EMPTY, State.FAILED)

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=10, choices=Kind)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    local_date = models.DateField()
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    definition = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=State, default=State.READY)
    snapshot = models.TextField(blank=True)
    previous = models.TextField(blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    content = models.CharField(max_length=300, blank=True)
    rows = models.BigIntegerField(default=0)
    late_rows = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    kept_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["export", "local_date"],
                condition=models.Q(kind="nightly"),
                name="one_nightly_run_per_date",
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "export", "-local_date"], name="run_by_date"),
            models.Index(
                fields=["ready_at"],
                name="run_unfinished",
                condition=models.Q(state__in=["ready", "errored", "running"]),
            ),
        ]


class Delivery(TenantOwned, Leased):
    """One run's file on its way to one folder: READY → SENDING → DELIVERED | RETRYING → … |
    GIVEN_UP (ten retries failed) | REFUSED (the server refused it permanently) | CANCELLED.

    `ready_at` is when the next attempt is due. attempts: how many of the ladder were made; a resend
    by hand begins a new ladder (sent_again counts them). own_faults: attempts of it that failed by
    the portal's fault, on a count of their own. incident_at: when it was given up or
    refused; acknowledged_at, acknowledged_by: when and by whom it was closed.
    """

    class State(models.TextChoices):
        READY = "ready", _("Waiting")
        SENDING = "sending", _("Being sent")
        RETRYING = "retrying", _("Will be retried")
        DELIVERED = "delivered", _("Delivered")
        GIVEN_UP = "given_up", _("Given up")
        REFUSED = "refused", _("Refused")
        CANCELLED = "cancelled", _("Cancelled")

    WAITING_STATES = (State.READY, State.RETRYING)
    FINAL_STATES = (State.DELIVERED, State.GIVEN_UP, State.REFUSED, State.CANCELLED)

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey(ExportRun, on_delete=models.CASCADE, related_name="deliveries")
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="deliveries")
    path = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.READY)
    attempts = models.IntegerField(default=0)
    own_faults = models.IntegerField(default=0)
    sent_again = models.IntegerField(default=0)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)
    incident_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "server", "path"], name="one_delivery_per_place")
        ]
        indexes = [
            models.Index(
                fields=["ready_at"],
                name="delivery_unfinished",
                condition=models.Q(state__in=["ready", "retrying", "sending"]),
            )
        ]


class Attempt(TenantOwned):
    """One attempt at a delivery. step: the last that began; words: our sentence, with the server's
    own message."""

    class Step(models.TextChoices):
        RESOLVE = "resolve", _("Finding the server")
        CONNECT = "connect", _("Connecting")
        HOST_KEY = "host_key", _("Checking the host key")
        LOGIN = "login", _("Logging in")
        FOLDER = "folder", _("Opening the folder")
        UPLOAD = "upload", _("Sending")
        SIZE = "size", _("Checking the size")
        RENAME = "rename", _("Renaming")
        TRIGGER = "trigger", _("Sending the trigger file")
        DONE = "done", pgettext_lazy("attempt", "Done")

    class Outcome(models.TextChoices):
        RUNNING = "", _("Running")
        DELIVERED = "delivered", pgettext_lazy("attempt", "Delivered")
        ALREADY_THERE = "already_there", _("Already there")
        FAILED = "failed", pgettext_lazy("attempt", "Failed")
        REFUSED = "refused", pgettext_lazy("attempt", "Refused")
        CUT_OFF = "cut_off", pgettext_lazy("attempt", "Interrupted")
        ERRORED = "errored", _("Portal error")

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    number = models.IntegerField()
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    bytes = models.BigIntegerField(default=0)
    step = models.CharField(max_length=10, choices=Step, default=Step.RESOLVE)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True, default=Outcome.RUNNING)
    words = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_attempt_per_number")
        ]
