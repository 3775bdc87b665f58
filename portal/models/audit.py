"""Who did what: append-only, enforced by the database (the application may not change a row)."""

from __future__ import annotations

from django.db import models

from portal.models.people import User
from portal.models.tenants import TenantOwned


class AuditEntry(TenantOwned):
    """One act. actor: the person, or empty for the portal itself or an account (then in detail)."""

    append_only = True

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-at"], name="audit_newest")]
