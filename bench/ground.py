"""A server of the benchmark's own, and the product's programs run against it as children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from portal.runtime.identity import for_postgres
from portal.runtime.output import Silence
from portal.runtime.postgres import DATABASE, SUPERUSER, PostgresServer
from portal.runtime.processes import ALLOCATOR
from portal.runtime.sockets import socket_directory
from portal.runtime.stopping import SignalWatch
from portal.runtime.supervisor import Supervisor
from portal.runtime.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "off"}


class ChildFailed(Exception):
    """A child process failed. The message is its output."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The running servers. directory: of the run; environment: of children that use them."""

    directory: Path
    sockets: Path
    environment: dict[str, str]

    def connect(self) -> psycopg.Connection[Any]:
        """An autocommit connection as the superuser."""
        return psycopg.connect(
            host=str(self.sockets), user=SUPERUSER, dbname=DATABASE, autocommit=True
        )

    def run(self, *statements: LiteralString) -> None:
        """Execute statements one by one, as the superuser."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def settle(self) -> None:
        """Vacuum and write everything down, so that no run pays for the one before."""
        self.run("VACUUM ANALYZE", "CHECKPOINT")

    def child(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run a Python child and return the JSON object on its last line. Raises ChildFailed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ChildFailed(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        last = done.stdout.strip().rpartition("\n")[2]
        output: dict[str, Any] = json.loads(last) if last.startswith("{") else {}
        return output


@contextmanager
def prepared(directory: Path) -> Iterator[Ground]:
    """PostgreSQL and Valkey in a directory, migrated; stopped at the end."""
    cluster = directory / "pg"
    identity = for_postgres(cluster)
    sockets = socket_directory(directory, identity.uid)
    with SignalWatch() as signals:
        supervisor = Supervisor(directory / "log", Silence(), signals)
        postgres = PostgresServer(cluster, sockets, identity, SETTINGS)
        valkey = ValkeyServer(directory / "valkey", sockets)
        try:
            supervisor.start(postgres.program())
            supervisor.start(valkey.program())
            ground = Ground(directory, sockets, _environment(directory, postgres.url, valkey.url))
            ground.child("manage.py", "migrate", "--verbosity=0", DATABASE_ROLE="")
            yield ground
        finally:
            supervisor.stop()


def _environment(directory: Path, database: str, broker: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k not in {"DEBUG", "DATABASE_ROLE"}}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database,
        "REDIS_URL": broker,
        "DATA_DIR": str(directory / "data"),
        "SECRET_KEY": "only-for-the-benchmark-0123456789012345678901234567890123456789",
        "VAULT_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        **ALLOCATOR,
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }
