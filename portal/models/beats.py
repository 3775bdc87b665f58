"""Signs of life: when each process was last active. Health reads facts, not process lists."""

from __future__ import annotations

from django.db import models


class Beat(models.Model):
    """A kind of process on a host. seen_at: by the database's clock."""

    name = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField()
    detail = models.JSONField(default=dict)
