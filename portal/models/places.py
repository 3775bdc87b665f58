"""Where files come from: endpoints, the accounts that log in to them, and their drops."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower

from portal.models.tenants import TenantOwned


class Endpoint(TenantOwned):
    """A place files come from. A hosted one has its directory DROPS_DIR/<uid>."""

    class Kind(models.TextChoices):
        SFTP = "sftp", "Hosted SFTP server"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.SFTP)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Account(TenantOwned):
    """A login on a hosted endpoint.

    password: a Django password hash; empty if only keys may be used. allowed_networks: addresses
    and networks as `dropserver/networks.py` writes them; an empty list for any address. home: the
    folder that is its root, relative to the endpoint's directory; empty for the whole tree.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="accounts")
    username = models.CharField(max_length=64)
    password = models.CharField(max_length=256, blank=True)
    allowed_networks = models.JSONField(default=list, blank=True)
    home = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_login_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="account_name_is_unique")]

    def __str__(self) -> str:
        return self.username

    @property
    def is_limited(self) -> bool:
        """Whether it may log in from some addresses only; what cannot be read is a limit too."""
        return bool(self.allowed_networks != [])


class AccountKey(TenantOwned):
    """A public key that may log in to an account. line: as in authorized_keys, without options."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=200, blank=True)
    line = models.TextField()
    fingerprint = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "fingerprint"], name="one_key_per_account")
        ]


class Drop(TenantOwned):
    """One directory of an endpoint with one arrival protocol, and the feed it serves.

    path: relative to the endpoint's directory, with "/" as separator. feed: a feed's name in the
    catalog; empty or unknown is the seed's "configuration not available".
    """

    class Protocol(models.TextChoices):
        MANIFEST = "manifest", "Manifest (.done)"
        TEMPLATE = "template", "Import template"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="drops")
    path = models.CharField(max_length=500)
    protocol = models.CharField(max_length=20, choices=Protocol, default=Protocol.MANIFEST)
    feed = models.CharField(max_length=60, blank=True)
    limits = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "path"], name="one_drop_per_folder")
        ]

    def __str__(self) -> str:
        return self.path
