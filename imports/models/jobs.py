"""Import jobs: one file run through one feed, its timeline and its issues by cause."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from imports.models.arrivals import ArrivalFile
from imports.models.templates import TemplateVersion
from portal.lifecycle import Leased
from portal.models import TenantOwned, User


class ImportJob(TenantOwned, Leased):
    """One file on its way into the record store.

    READY → RUNNING → COMPLETE | INCOMPLETE | FAILED | HELD; HELD → READY (released) | DISCARDED;
    RUNNING → ERRORED (our fault, tried again at ready_at) → RUNNING; after MAX_ATTEMPTS FAILED
    with fault "portal". A dry run ends PLANNED.

    spec: how a job of the wizard reads its file, where no template is saved; template_version says
    so otherwise. corrects: the job whose rejected rows this one's file brings again.
    undoes: the job that this one takes back; such a job has no file (`imports/jobs/undo.py`).
    source: where the file came from, as `imports/models/sources.py` writes it; a mirror removes
    only what its own source brought. waits_until: until when the job waits for records that its
    rows refer to (`imports/jobs/waiting.py`); null for one that never waited.
    What follows is what the job has of its own, before its folder's limits and the template's
    settings (`imports/jobs/instructions.py`).
    operation: what the file does, where that is not the feed's. absent_scope: a mirror removes only
    records whose value of this field occurs in the file. limits, limits_per: `load/limits.py`.

    hold_reasons: a list of `measured.Hold`. plan_detail: the first rows of a held or dry plan
    (`imports/load/diff.py`), or what an undo left alone; plan_digests: which plan that is
    (`load/digests.py`). released_plan: what a person agreed to (`load/released.py`).
    """

    class State(models.TextChoices):
        READY = "ready", _("Waiting")
        RUNNING = "running", _("Running")
        ERRORED = "errored", _("Will be retried")
        HELD = "held", _("Held")
        COMPLETE = "complete", _("Complete")
        INCOMPLETE = "incomplete", _("Incomplete")
        FAILED = "failed", _("Failed")
        DISCARDED = "discarded", _("Discarded")
        PLANNED = "planned", _("Dry run done")

    class Stage(models.TextChoices):
        QUEUED = "", _("Not started")
        READING = "reading", _("Reading and checking")
        PLANNING = "planning", _("Comparing with the store")
        APPLYING = "applying", _("Writing")
        REPORTING = "reporting", _("Writing the report")

    class AskedBy(models.TextChoices):
        DROP = "drop", _("File received")
        PERSON = "person", _("Person")
        RETRY = "retry", _("Retried")
        UNDO = "undo", _("Undo")

    class Fault(models.TextChoices):
        NONE = "", "—"
        SENDER = "sender", _("The file")
        PORTAL = "portal", _("The portal")

    WAITING_STATES = (State.READY, State.ERRORED)
    FINAL_STATES = (
        State.COMPLETE,
        State.INCOMPLETE,
        State.FAILED,
        State.DISCARDED,
        State.PLANNED,
    )

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    arrival_file = models.OneToOneField(
        ArrivalFile, on_delete=models.SET_NULL, null=True, related_name="job"
    )
    feed = models.CharField(max_length=60)
    record_type = models.CharField(max_length=60)
    rank = models.IntegerField(default=0)
    asked_by = models.CharField(max_length=10, choices=AskedBy, default=AskedBy.DROP)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    template_version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, null=True, related_name="jobs"
    )
    spec = models.JSONField(null=True)
    lookups = models.JSONField(default=dict)
    corrects = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="corrections"
    )
    undoes = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="undos")
    source = models.CharField(max_length=100, blank=True)
    waits_until = models.DateTimeField(null=True, blank=True)
    dry_run = models.BooleanField(default=False)
    operation = models.CharField(max_length=20, blank=True)
    absent_scope = models.CharField(max_length=300, blank=True)
    limits = models.JSONField(default=dict)
    limits_per = models.JSONField(null=True)
    released_plan = models.JSONField(null=True)
    plan_detail = models.JSONField(null=True)
    plan_digests = models.JSONField(null=True)

    file_name = models.CharField(max_length=300)
    file_size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    content = models.CharField(max_length=300, blank=True)
    kept_until = models.DateTimeField(null=True)
    dialect = models.JSONField(null=True)

    state = models.CharField(max_length=20, choices=State, default=State.READY)
    stage = models.CharField(max_length=20, choices=Stage, blank=True, default=Stage.QUEUED)
    bytes_read = models.BigIntegerField(default=0)
    rows_read = models.BigIntegerField(default=0)
    rows_created = models.BigIntegerField(default=0)
    rows_updated = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    rows_removed = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    warnings = models.BigIntegerField(default=0)
    attachment = models.CharField(max_length=300, blank=True)
    reason = models.TextField(blank=True)
    hold_reasons = models.JSONField(default=list)
    fault = models.CharField(max_length=10, choices=Fault, blank=True, default=Fault.NONE)
    peak_memory = models.BigIntegerField(null=True)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="job_newest"),
            models.Index(fields=["tenant", "state", "-created_at"], name="job_by_state"),
            # Read by the sweep: what is ready, or whose lease may have run out.
            models.Index(
                fields=["ready_at"],
                name="job_unfinished",
                condition=models.Q(state__in=["ready", "errored", "running"]),
            ),
        ]

    @property
    def is_final(self) -> bool:
        return self.state in self.FINAL_STATES

    @property
    def is_undone(self) -> bool:
        """Whether what it did was taken back, by an undo that was not undone itself."""
        applied = self.undos.filter(state__in=(self.State.COMPLETE, self.State.INCOMPLETE))
        return any(not undo.is_undone for undo in applied)

    @property
    def correction(self) -> ImportJob | None:
        """The last job that brought its rejected rows again, where that has ended and holds."""
        ended = self.corrections.filter(state__in=self.FINAL_STATES, dry_run=False)
        ended = ended.exclude(state=self.State.DISCARDED).order_by("-pk")
        return next((job for job in ended if not job.is_undone), None)

    @property
    def percent(self) -> int:
        """How much of the file has been read, 0 to 100."""
        return min(100, self.bytes_read * 100 // self.file_size) if self.file_size else 0


class JobEvent(TenantOwned):
    """A change of state: the job's timeline. actor: a person's name or the part of the portal."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=20)
    actor = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["job", "at"], name="event_by_job")]


class IssueGroup(TenantOwned):
    """All issues of one cause in a job. examples: at most five [line, found] pairs."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="issue_groups")
    severity = models.CharField(max_length=10)
    code = models.CharField(max_length=40)
    column = models.CharField(max_length=300, blank=True)
    count = models.BigIntegerField()
    message = models.TextField()
    examples = models.JSONField(default=list)
