"""Look-up tables: what a tenant's keys stand for, in numbered versions."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from portal.models import TenantOwned, User


class LookupTable(TenantOwned):
    """A table that templates name in their `lookup` steps, by its name, which never changes."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    current = models.ForeignKey(
        "LookupVersion", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="one_lookup_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class LookupVersion(TenantOwned):
    """The whole content at one time; never changed.

    columns: names, the key's first. rows: lists of texts, as wide. fold: whether capital and small
    letters of keys are the same.
    """

    table = models.ForeignKey(LookupTable, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    columns = models.JSONField()
    rows = models.JSONField()
    row_count = models.IntegerField()
    fold = models.BooleanField(default=False)
    note = models.CharField(max_length=300, blank=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["table", "number"], name="one_lookup_per_number")
        ]
