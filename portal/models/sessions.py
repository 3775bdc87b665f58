"""What happened at the drop server: sessions, uploads, and the score of failed logins."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models.places import Account, Endpoint
from portal.models.tenants import TenantOwned


class DropSession(TenantOwned):
    """A connection of an account."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sessions")
    address = models.GenericIPAddressField()
    client = models.CharField(max_length=200, blank=True)
    method = models.CharField(max_length=20)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=100, blank=True)


class Upload(TenantOwned):
    """A file written by an account. The newest complete row of a path names the file's owner.

    path: relative to the endpoint's directory. A *partial* upload was cut off with the file open.
    source: which file it became (`dropserver.jail.source_of`). replaced_at: when a later upload
    took its name, until the collector has looked whether a delivery was lost by that.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Being uploaded")
        COMPLETE = "complete", _("Complete")
        PARTIAL = "partial", _("Interrupted")

    session = models.ForeignKey(
        DropSession, on_delete=models.SET_NULL, null=True, related_name="uploads"
    )
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="uploads")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="uploads")
    path = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    size = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=120, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    replaced_checked = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "path", "-started_at"], name="upload_by_path"),
            # The collector waits for uploads that a dependency is still receiving.
            models.Index(fields=["endpoint"], name="upload_open", condition=models.Q(state="open")),
            models.Index(
                fields=["endpoint"],
                name="upload_replaced",
                condition=models.Q(replaced_at__isnull=False, replaced_checked=False),
            ),
        ]


class LoginScore(models.Model):
    """Failed logins in one score for web, API and drop server. key: "ip|name" or "name"."""

    key = models.CharField(max_length=300, primary_key=True)
    failures = models.IntegerField(default=0)
    last_at = models.DateTimeField()
    banned_until = models.DateTimeField(null=True, blank=True)
