"""The outbox: notices to people, and the mails with their summaries."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from portal.lifecycle import Leased
from portal.models.people import User
from portal.models.tenants import TenantOwned


class Notice(TenantOwned):
    """Something that happened and that people get a mail about; several notices become one mail.

    key: UNIQUE in the tenant, so that a step that is done twice adds one notice. title and
    text: sentences without foreign control characters. link: a path of the pages. user: a person
    who asked for this notice. summed_at: when it was put into mails.
    """

    class Event(models.TextChoices):
        UNMATCHED = "unmatched", "No matching template"
        NOT_TAKEN = "not_taken", "Delivery not picked up"
        HELD = "held", "Held"
        DECIDED = "decided", "Decided"
        FAILED = "failed", "Failed"
        FINISHED = "finished", "Finished"
        UNDONE = "undone", "Undone"
        EXPORT_FAILED = "export_failed", "Export failed"
        GIVEN_UP = "given_up", "Delivery given up"
        REFUSED = "refused", "Delivery refused"
        PORTAL_FAULT = "portal_fault", "Portal error"

    event = models.CharField(max_length=20, choices=Event)
    key = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    link = models.CharField(max_length=300, blank=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    summed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="one_notice_per_event")
        ]
        indexes = [
            # Read by the sweep: notices that are in no mail yet.
            models.Index(
                fields=["tenant"], name="notice_waiting", condition=models.Q(summed_at=None)
            )
        ]


class Mail(TenantOwned, Leased):
    """A mail to a person. uid: also its Message-ID, so that a mail sent twice is shown once."""

    class State(models.TextChoices):
        READY = "ready", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    state = models.CharField(max_length=20, choices=State, default=State.READY)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["ready_at"],
                name="mail_unsent",
                condition=models.Q(state__in=["ready", "sending"]),
            )
        ]
