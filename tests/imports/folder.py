"""A sender's folders on a real disk, and the collector that polls them."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from django.conf import settings

from imports.collect import rounds
from imports.models import Arrival, ImportJob, Sighting
from portal.models import Drop, Endpoint
from portal.records.catalog import catalog
from tests.imports.institution import Institution

CSV = "PersonIdentifier,FirstName,LastName,Email\n0001,Ada,Lovelace,ada@example.edu\n"


class Folders:
    """An endpoint with a drop for each of the feeds; the first is the default."""

    def __init__(self, institution: Institution, *feeds: str) -> None:
        self.institution = institution
        self.endpoint = Endpoint.objects.create(tenant=institution.tenant, name="Test")
        self.root = settings.DROPS_DIR / str(self.endpoint.uid)
        self.root.mkdir(parents=True)
        self.drops = {feed: self.drop(feed) for feed in feeds or ("accounts",)}
        self.first = next(iter(self.drops))

    def drop(self, feed: str, path: str = "") -> Drop:
        path = path or catalog().feed(feed).folders[0]
        (self.root / path).mkdir(parents=True)
        return Drop.objects.create(
            tenant=self.institution.tenant, endpoint=self.endpoint, path=path, feed=feed
        )

    def folder(self, feed: str = "") -> Path:
        return self.root / self.drops[feed or self.first].path

    def put(self, name: str, content: str | bytes, feed: str = "") -> Path:
        """Put a file there as the drop server does: complete, under its name, at once."""
        target = self.folder(feed) / name
        part = self.root / uuid.uuid4().hex
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.rename(target)
        return target

    def deliver(self, name: str, content: str | bytes, feed: str = "", manifest: str = "") -> None:
        """Put a file with its manifest there."""
        self.put(name, content, feed)
        self.put(manifest or f"{name}.done", self.manifest(name, feed=feed), feed)

    def manifest(self, *names: str, feed: str = "") -> str:
        """Write a manifest that names the files with their checksums."""
        lines = [
            f'<file name="{n}" checksum="{self.md5(n, feed)}" checksumhashtype="md5"/>'
            for n in names
        ]
        return "<files>" + "".join(lines) + "</files>"

    def md5(self, name: str, feed: str = "") -> str:
        content = (self.folder(feed) / name).read_bytes()
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    def poll(self) -> str:
        return rounds.poll(self.institution.tenant.pk)

    def go(self) -> list[ImportJob]:
        """Collect, import, and tell the sender."""
        self.poll()
        done = self.institution.work()
        self.poll()
        return done

    def names(self, feed: str = "") -> set[str]:
        """The names of the files in the folder."""
        return without_data({path.name for path in self.folder(feed).iterdir()})

    def text(self, name: str, feed: str = "") -> str:
        return (self.folder(feed) / name).read_text()

    def sightings(self) -> dict[str, str]:
        """The verdicts about the files that are there, by path."""
        return dict(Sighting.objects.filter(gone_at=None).values_list("path", "verdict"))


def without_data(names: set[str]) -> set[str]:
    """The names without the receipts as JSON: each of them has one as text beside it."""
    data = {name for name in names if name.endswith(".result.json")}
    texts = {name for name in names if name.endswith(".result.txt")}
    assert {name.removesuffix("json") for name in data} == {n.removesuffix("txt") for n in texts}
    return names - data


def arrivals() -> list[str]:
    """The states of all deliveries."""
    return list(Arrival.objects.order_by("pk").values_list("state", flat=True))
