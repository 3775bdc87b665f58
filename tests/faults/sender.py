"""A sender for the fault tests: an institution, its files, and what they must come to."""

import itertools
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection

from imports.models import Arrival, ImportJob
from portal import provision
from portal.demo.samples import manifest, md5
from portal.models import Endpoint, Tenant
from tests.faults.harness import Rig, eventually

FOLDER = "Accounts/AccountImports"
COLUMNS = ("PersonIdentifier", "FirstName", "LastName", "Email")
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)

Row = tuple[str, str, str, str]


def rows(first: int, count: int, mark: str = "a") -> list[Row]:
    """Accounts with the numbers from `first`; mark: goes into the names, so that it shows."""
    numbers = range(first, first + count)
    return [(f"{n:09d}", f"First{mark}", f"Last{mark}{n}", f"p{n}@oak.example") for n in numbers]


def csv(lines: list[Row]) -> bytes:
    """The accounts as a file."""
    return "".join(f"{','.join(line)}\r\n" for line in [COLUMNS, *lines]).encode()


@dataclass
class Sender:
    """An institution with one SFTP account, writing into the folder of its accounts.

    expected: what the store must hold in the end, by identifier. sent: files that must
    get a job each. left: names that must still lie
    in the folder. removed: whether parts of unfinished uploads may lie there.
    """

    rig: Rig
    tenant: Tenant
    endpoint: Endpoint
    username: str
    expected: dict[str, Row] = field(default_factory=dict)
    sent: int = 0
    left: set[str] = field(default_factory=set)
    parts_may_stay: bool = False

    @property
    def folder(self) -> Path:
        return Path(settings.DROPS_DIR) / str(self.endpoint.uid) / FOLDER

    def put(self, name: str, content: bytes) -> Path:
        """Put a file as the drop server does: whole, by a rename."""
        part = self.folder.parent.parent / f"{uuid.uuid4().hex}.outbox"
        part.write_bytes(content)
        target = self.folder / name
        return part.rename(target)

    def expect(self, lines: list[Row]) -> None:
        """The store must hold these in the end."""
        self.expected |= {line[0]: line for line in lines}

    def send(self, stem: str, lines: list[Row], rejects: list[Row] | None = None) -> None:
        """A file with its manifest; rejects: rows that the portal must refuse."""
        for name, content in self.files(stem, csv([*lines, *(rejects or [])])):
            self.put(name, content)
        self.expect(lines)
        self.sent += 1
        if rejects:
            self.left.add(f"{stem}.csv.errors.csv")

    def files(self, stem: str, content: bytes) -> list[tuple[str, bytes]]:
        """A file and the manifest that names it, in the order of sending."""
        return [
            (f"{stem}.csv", content),
            (f"{stem}.done", manifest([(f"{stem}.csv", md5(content))])),
        ]

    def send_and_ring(self, stem: str, lines: list[Row], **more: list[Row]) -> None:
        """Send, and tell the portal at once."""
        self.send(stem, lines, **more)
        self.rig.ring_poll(self.tenant.pk)

    def send_many(self, files: int, size: int) -> None:
        """Files of all kinds: of new rows, of rows sent before, and of rows that change them.

        Each has rows of its own, so that their order does not matter: a delivery whose collector
        died is collected later than its neighbours.
        """
        if not self.expected:
            self.send_and_ring("before", rows(0, files * size // 2))
            self.final("before")
        for number in range(files):
            mark = "ab"[number % 2]
            self.send(f"f{number:03d}", rows(number * size, size, mark))

    def jobs(self) -> list[ImportJob]:
        return list(ImportJob.objects.filter(tenant=self.tenant).order_by("pk"))

    def arrivals(self) -> list[Arrival]:
        return list(Arrival.objects.filter(tenant=self.tenant).order_by("pk"))

    def job(self, stem: str) -> ImportJob:
        """The one job of a file, once there is one."""
        jobs = ImportJob.objects.filter(tenant=self.tenant, file_name=f"{stem}.csv")
        eventually(jobs.exists, f"a job for {stem}.csv; worker:\n{self.rig.worker.output()}")
        return jobs.get()

    def final(self, stem: str, seconds: float = 90) -> ImportJob:
        """The job of a file when it has ended."""
        job = self.job(stem)

        def ended() -> bool:
            job.refresh_from_db()
            return job.is_final

        eventually(ended, f"{stem}.csv ends; worker:\n{self.rig.worker.output()}", seconds)
        return job

    def working(self, stem: str, stage: str) -> ImportJob:
        """The job of a file while it runs in a stage."""
        job = self.job(stem)

        def there() -> bool:
            job.refresh_from_db()
            assert not job.is_final, f"{stem}.csv was never seen in {stage}: it is {job.state}"
            return job.state == ImportJob.State.RUNNING and job.stage == stage

        eventually(there, f"{stem}.csv is in {stage}; worker:\n{self.rig.worker.output()}")
        return job


def new(rig: Rig) -> Sender:
    """A new institution with its folders and an SFTP account."""
    name = f"oak{next(_numbers)}-{os.getpid()}"
    tenant = provision.tenant(name, name, "UTC")
    endpoint = provision.endpoint(tenant)
    provision.account(endpoint, name, PASSWORD)
    return Sender(rig, tenant, endpoint, name)


def reconnect() -> None:
    """Forget this process's connection: the database was restarted."""
    connection.close()


def pid_of(job: ImportJob) -> int:
    """The process that holds the job."""
    job.refresh_from_db()
    return int(job.owner.rpartition(":")[2])
