"""Import templates: how the files of certain names become records, in numbered versions."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from portal.models import Account, TenantOwned, User


class ImportTemplate(TenantOwned):
    """A saved mapping. file_names: exact and case-sensitive (seed 003); account: whose files.

    feed: the catalog's feed, that is a record type plus an operation. A template without an
    account serves uploads in the browser only.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    feed = models.CharField(max_length=60)
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, null=True, blank=True, related_name="templates"
    )
    file_names = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)
    current = models.ForeignKey(
        "TemplateVersion", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="one_template_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(TenantOwned):
    """One version of a template; never changed once a job ran with it. spec: see the guide."""

    template = models.ForeignKey(ImportTemplate, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    spec = models.JSONField()
    note = models.CharField(max_length=300, blank=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_number")
        ]
