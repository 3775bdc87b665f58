"""Who did what. The database lets the application only add rows, not change them."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from portal.models.people import User
from portal.models.tenants import TenantOwned


class AuditEntry(TenantOwned):
    """An act. user: the person; empty for the portal itself or an account (then in detail).

    A person with entries cannot be deleted, only made inactive: no row may change.
    """

    append_only = True

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-at"], name="audit_newest")]
