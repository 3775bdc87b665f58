"""Export definitions: what is sent, as which file, when, and where to."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.models import TenantOwned, User


class Server(TenantOwned):
    """A remote SFTP server of a partner. password, private_key: sealed by `portal.vault`.

    host_key: the pinned key's SHA256 fingerprint (`SHA256:…`, unpadded); empty: not pinned yet, so
    nothing is sent. host_key_type: as the server called it when it was pinned.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=22)
    username = models.CharField(max_length=200)
    password = models.TextField(blank=True)
    private_key = models.TextField(blank=True)
    host_key = models.CharField(max_length=100, blank=True)
    host_key_type = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("tenant", Lower("name"), name="one_server_per_name")]

    def __str__(self) -> str:
        return self.name


class Export(TenantOwned):
    """What is sent every night, as which file, and where to.

    source: {"events": [types], empty for all} or {"records": record type, "changed": bool}.
    columns: [{"name": header, "path": dotted path} or {"name": header, "constant": text}, …];
    empty for the defaults of `exports/layout.py`. name_pattern: `exports/names.py`. at: time of day
    in time_zone (IANA). days: ISO weekdays on which it runs, 1 is Monday. trigger: a second file
    after the data file. started_on: the first local date whose night counts; null while stopped.
    version: raised by each change, so that of two people who save at once the second is refused.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSON = "json", _("JSON array")
        JSON_LINES = "jsonl", _("JSON lines")

    class Empty(models.TextChoices):
        SKIP = "skip", _("Send nothing")
        SEND = "send", _("Send an empty file")

    class Compression(models.TextChoices):
        NONE = "", _("None")
        GZIP = "gzip", "gzip (.gz)"
        ZIP = "zip", "Zip (.zip)"

    class Trigger(models.TextChoices):
        NONE = "", pgettext_lazy("second file", "None")
        EMPTY = "empty", _("Empty .trg file")
        MANIFEST = "manifest", _(".done manifest with checksum")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    source = models.JSONField(default=dict)
    columns = models.JSONField(default=list, blank=True)
    format = models.CharField(max_length=10, choices=Format, default=Format.CSV)
    name_pattern = models.CharField(max_length=200)
    at = models.TimeField()
    time_zone = models.CharField(max_length=64)
    days = models.JSONField(default=list)
    empty = models.CharField(max_length=10, choices=Empty, default=Empty.SKIP)
    compression = models.CharField(
        max_length=10, choices=Compression, default=Compression.NONE, blank=True
    )
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.NONE, blank=True)
    keep_days = models.PositiveIntegerField(default=30)
    started_on = models.DateField(null=True, blank=True)
    version = models.IntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("tenant", Lower("name"), name="one_export_per_name")]

    def __str__(self) -> str:
        return self.name


class Destination(TenantOwned):
    """A folder of a server that files go to. path: absolute, or from the login's home."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="destinations")
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="destinations")
    path = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["export", "server", "path"], name="one_destination_per_folder"
            )
        ]
