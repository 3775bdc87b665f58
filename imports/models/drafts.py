"""What an admin is still working on in the wizard, and what earlier mappings have taught."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from imports.models.arrivals import Sighting
from imports.models.jobs import ImportJob
from imports.models.templates import ImportTemplate
from portal.models import TenantOwned, User


class ImportDraft(TenantOwned):
    """An import that is being prepared; each step of the wizard writes its part (seed 003).

    version: rises with each save, so that of two people who save at once the second is refused.
    spec: as in `imports/mapping/spec.py`, possibly not valid yet. content: storage name of the
    file. table: of its first rows as CSV, where the file is a workbook. sample: the header and the
    suggestions for its columns (`imports/drafts/guessing.py`). counted: the distinct values of
    columns, by name. dry_run: the last validation; checked: the draft's version at that time.
    requested: a file in the folders to be copied by the collector, which alone sees the folders;
    fetched: `content`, `size` and `sha256` of its copy, or `problem`: "gone". template_version:
    the version of the template that the draft last saved; 0 where it saved none, or an older
    portal noted none.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.IntegerField(default=1)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    feed = models.CharField(max_length=60)
    step = models.CharField(max_length=20, default="settings")
    spec = models.JSONField(default=dict)

    content = models.CharField(max_length=300, blank=True)
    table = models.CharField(max_length=300, blank=True)
    file_name = models.CharField(max_length=300, blank=True)
    file_size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    sheets = models.JSONField(default=list)
    sample = models.JSONField(default=dict)
    counted = models.JSONField(default=dict)

    requested = models.ForeignKey(Sighting, on_delete=models.SET_NULL, null=True, related_name="+")
    fetched = models.JSONField(default=dict)

    dry_run = models.ForeignKey(ImportJob, on_delete=models.SET_NULL, null=True, related_name="+")
    checked = models.IntegerField(default=0)
    job = models.ForeignKey(ImportJob, on_delete=models.SET_NULL, null=True, related_name="+")
    template = models.ForeignKey(
        ImportTemplate, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    template_version = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-changed_at"], name="draft_newest"),
            # Read by the collector in each round.
            models.Index(
                fields=["tenant"],
                name="draft_requesting",
                condition=models.Q(requested__isnull=False),
            ),
        ]


class LearnedMapping(TenantOwned):
    """How often the tenant mapped a column of that name to a field. header: in normal form."""

    record_type = models.CharField(max_length=60)
    header = models.CharField(max_length=200)
    field = models.CharField(max_length=300)
    count = models.IntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "record_type", "header", "field"], name="one_row_per_mapping"
            )
        ]
        indexes = [models.Index(fields=["record_type", "header"], name="learned_by_header")]
