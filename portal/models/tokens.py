"""Tokens of programs that use the REST API. Only a hash of each is stored."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from portal.models.people import User
from portal.models.tenants import TenantOwned


class ApiToken(TenantOwned):
    """A program's right to act for the tenant.

    prefix: the token's beginning, shown on pages. hash: SHA-256 of the whole token in
    hexadecimal; a token is 256 random bits, so that no slower hash is needed. scopes: what it may
    do. expires_at: null for never.
    """

    class Scope(models.TextChoices):
        EVENTS_WRITE = "events:write", _("Send events")
        EVENTS_READ = "events:read", _("Read events")

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=20, unique=True)
    hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope), default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
