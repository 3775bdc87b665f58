"""The tests' database: migrated once a run, cloned for each worker, emptied after what commits."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from portal.runtime.postgres import SUPERUSER

APP_ROLE = "causeway_app"


def become(role: str) -> None:
    """Connect anew as a role, or as the owner."""
    connection.close()
    settings.DATABASE_ROLE = role
    options = connection.settings_dict["OPTIONS"]
    options.pop("options", None)
    if role:
        options["options"] = f"-c role={role}"


@contextmanager
def cloned(servers: Path) -> Iterator[None]:
    """Use a database of this worker's own, made by the owner, as the role that policies bind."""
    with (servers / "schema.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        migrate_once(servers / "migrated")
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        connection.creation.clone_test_db(worker, verbosity=0)
    # Who asks the settings for the database must find the same one.
    connection.settings_dict |= connection.creation.get_test_db_clone_settings(worker)
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"]
    become(APP_ROLE)
    yield
    become("")


def migrate_once(done: Path) -> None:
    """Make the database that all workers clone, unless another worker has."""
    if done.exists():
        connection.settings_dict["NAME"] = done.read_text()
        return
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    done.write_text(name)


class Emptying:
    """Deletes what a test has committed; what the migrations have put in stays.

    Truncating takes 0.3 s, this some milliseconds. It connects as the superuser, whom neither a
    policy nor a trigger keeps from deleting; only when it is needed, for tests cut connections.
    """

    def __init__(self, servers: Path) -> None:
        self._where = (
            f"host={servers} user={SUPERUSER} dbname={connection.settings_dict['NAME']} "
            "options='-c session_replication_role=replica -c lock_timeout=20s'"
        )
        with psycopg.connect(self._where) as mine:
            tables = mine.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"
            ).fetchall()
            self._statements = sql.SQL("; ").join(
                sql.SQL("DELETE FROM {}").format(sql.Identifier(name))
                for (name,) in tables
                if not _has_rows(mine, name)
            )

    def empty(self) -> None:
        """Delete all rows of the tables that were empty in the beginning."""
        connection.close()  # whatever state the test has left it in
        with psycopg.connect(self._where) as mine:
            mine.execute(self._statements)


def _has_rows(mine: psycopg.Connection, table: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
    return mine.execute(query).fetchone() == (True,)
