"""Events: what happened to a learner, a record or an import; exports send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from portal.models.tenants import Tenant, TenantOwned

if TYPE_CHECKING:
    _Number = models.BigIntegerField[int, int]
else:  # the stubs' generic is a plain class at run time
    _Number = models.BigIntegerField


class TransactionId(_Number):
    """PostgreSQL's xid8: the transaction that wrote the row, for comparison with a snapshot."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"


class Event(TenantOwned):
    """One event. Append-only; the same id a second time changes nothing.

    uid: the sender's stable id, UNIQUE in the tenant. at: when it happened. subject: whom or what
    it happened to. payload: the event as exports send it, without the four fields above.
    transaction: the one that stored it; an export run selects what its snapshot sees and the
    snapshot of the previous run did not (`exports/selection.py`), so that an event that comes late
    or is committed late is neither lost nor sent twice.
    """

    append_only = True

    class Source(models.TextChoices):
        API = "api", "REST"
        FILE = "file", _("File")
        PORTAL = "portal", _("Portal")

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    uid = models.CharField(max_length=200)
    type = models.CharField(max_length=100)
    at = models.DateTimeField()
    subject = models.CharField(max_length=300, blank=True)
    payload = models.JSONField(default=dict)
    source = models.CharField(max_length=10, choices=Source)
    received_at = models.DateTimeField(db_default=Now())
    transaction = TransactionId(db_default=Func(function="pg_current_xact_id"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uid"], name="one_event_per_uid")]
        indexes = [
            models.Index(fields=["tenant", "type", "at"], name="event_by_time"),
            # All types in the order of time: the list of events, the API without a type.
            models.Index(fields=["tenant", "at", "id"], name="event_by_moment"),
            # Late ones: what the snapshot of the run before did not see is not below its xmin.
            models.Index(fields=["tenant", "transaction"], name="event_by_transaction"),
        ]

    def __str__(self) -> str:
        return self.uid
