"""The record store: one table for all record types, with the jobs that changed each row.

The import engine writes it in sets by SQL (`imports/load/apply.py`); pages read it here.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from portal.models.tenants import Tenant, TenantOwned


class RecordKind(models.Model):
    """A record type's small id in the store. The definition is in the catalog."""

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=60, unique=True)
    label = models.CharField(max_length=200)
    pack = models.CharField(max_length=60)

    def __str__(self) -> str:
        return self.label


class Record(TenantOwned):
    """A loaded row. key: the folded key fields, separated by U+001F. data: the fields by name.

    source_hash: 64-bit hash of the file's record that last set it, with its layout; an equal hash
    means an unchanged row. Keys compare byte by byte, whatever the database's language. Foreign
    keys have no constraint: a million rows are inserted in one statement, and rows of these tables
    are never deleted while records refer to them.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.ForeignKey(
        RecordKind, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    key = models.TextField(db_collation="C")
    data = models.JSONField()
    source_hash = models.BigIntegerField(null=True)
    active = models.BooleanField(default=True, db_default=True)
    created_job = models.BigIntegerField(null=True)
    changed_job = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "key"], name="one_record_per_key")
        ]

    def __str__(self) -> str:
        return self.key.replace("\x1f", " / ")


class RecordChange(TenantOwned):
    """What a job replaced, for undo. A record that the job created has no row."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    job_id = models.BigIntegerField()
    record_id = models.BigIntegerField()
    data = models.JSONField()
    source_hash = models.BigIntegerField(null=True)
    active = models.BooleanField()
    changed_job = models.BigIntegerField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["job_id", "record_id"], name="change_by_job")]
