"""The audit trail takes whatever an act brings along."""

from __future__ import annotations

import datetime
import uuid

import pytest

from portal import audit, tenancy
from portal.models import AuditEntry, Tenant

pytestmark = pytest.mark.django_db


def test_it_stores_times_ids_and_text_with_nul() -> None:
    oak = Tenant.objects.create(name="oak", slug="oak")
    day, uid = datetime.date(2026, 1, 2), uuid.uuid4()
    with tenancy.scope(oak.pk):
        audit.record(oak.pk, "job.release", "a\0b" * 200, day=day, uid=uid, name="c\0d")
        entry = AuditEntry.objects.get()
    assert entry.detail == {"day": "2026-01-02", "uid": str(uid), "name": "cd"}
    assert entry.subject == ("ab" * 200)[:200]
