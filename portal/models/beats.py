"""Signs of life: which process was last heard of when. Health reads facts, not process lists."""

from __future__ import annotations

from django.db import models


class Beat(models.Model):
    """One kind of process on one host. seen_at: by the database's clock."""

    name = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField()
    detail = models.JSONField(default=dict)
