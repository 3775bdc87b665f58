"""The staging table of one attempt: good rows go in by COPY while the next chunk is validated.

Unlogged, without autovacuum, in its own schema and named after job and token, so that a leftover of
a killed worker is recognised and dropped by the sweep.
"""

from __future__ import annotations

import io
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString

import polars as pl
import psycopg
from django.db import connection, connections, transaction
from psycopg import sql

from imports.models import ImportJob
from portal.rls import STAGING_SCHEMA

COLUMNS = ("line", "key", "operation", "data", "source_hash")
_NAME = re.compile(r"^(?:job|match)_(\d+)_(\d+)$")
_QUEUED = 2
# CSV and not COPY's text format, in which the backslashes of JSON would have to be doubled. FREEZE,
# so that the first reader does not have to write every page again.
_COPY: LiteralString = (
    "COPY {rows} ({columns}) FROM STDIN (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01', FREEZE)"
)
_CREATE: LiteralString = (
    'CREATE UNLOGGED TABLE {rows} (line bigint, key text COLLATE "C", '
    "operation text, data jsonb, source_hash bigint) WITH (autovacuum_enabled = false)"
)


class StagingTable:
    """`staging.job_<id>_<token>`: the accepted rows; `staging.match_…`: those the store has.

    `staging.undo_…`: the records that an undo puts back; no transaction leaves it behind.
    """

    def __init__(self, job: ImportJob) -> None:
        self.rows = _table_name("job", job)
        self.matches = _table_name("match", job)
        self.undo = _table_name("undo", job)

    def statement(self, text: LiteralString, **parts: sql.Composable) -> sql.Composed:
        """A statement about the tables: {rows}, {matches}, {undo} are their names in it."""
        tables = {"rows": self.rows, "matches": self.matches, "undo": self.undo}
        return sql.SQL(text).format(**tables, **parts)

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self.statement("DROP TABLE IF EXISTS {matches}, {rows}"))

    def analyze(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self.statement("ANALYZE {rows} (line, key)"))


def _table_name(prefix: str, job: ImportJob) -> sql.Identifier:
    return sql.Identifier(STAGING_SCHEMA, f"{prefix}_{job.pk}_{job.token}")


@contextmanager
def table(job: ImportJob) -> Iterator[StagingTable]:
    """The job's staging table, made by its `Writer`, dropped at the end whatever happens."""
    staging = StagingTable(job)
    try:
        yield staging
    finally:
        staging.drop()


class Writer:
    """COPY on its own thread and connection, fed through a short queue, into a table that it makes.

    Table and rows are one transaction: a reader that is cut off leaves neither. Leaving the block
    waits for the last row and raises what went wrong in the thread.
    """

    def __init__(self, staging: StagingTable) -> None:
        self._table = staging
        self._queue: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._error: Exception | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="copy", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Queue the rows of a frame with the columns of COLUMNS. Raises the thread's error."""
        if frame.height:
            self._put(encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._error = self._error or Abandoned()
        self._put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _put(self, block: bytes | None) -> None:
        while True:
            if self._error is not None and block is not None:
                raise self._error
            try:
                self._queue.put(block, timeout=1)
                return
            except queue.Full:
                if not self._thread.is_alive():
                    return

    def _run(self) -> None:
        own = connections.create_connection("default")
        try:
            own.ensure_connection()
            self._copy(own.connection)
        except Exception as exc:  # handed to the thread that reads the file
            self._error = self._error or exc
            for _ in self._blocks():
                pass  # so that the reading side never waits for room
        finally:
            own.close()

    def _copy(self, raw: psycopg.Connection[Any]) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        statement = self._table.statement(_COPY, columns=columns)
        with raw.transaction(), raw.cursor() as cursor:
            cursor.execute(self._table.statement(_CREATE))
            with cursor.copy(statement) as copy:
                for block in self._blocks():
                    copy.write(block)
                if self._error is not None:
                    raise self._error

    def _blocks(self) -> Iterator[bytes]:
        """The blocks up to the end, which is there once and must not be waited for again."""
        while not self._ended:
            block = self._queue.get()
            self._ended = block is None
            if block is not None:
                yield block


class Abandoned(Exception):
    """The reading side failed: what was copied so far is not to be kept."""


def encode(frame: pl.DataFrame) -> bytes:
    """The rows as `_COPY` reads them.

    Nothing has to be escaped: JSON text holds no control character, and `fields.checks` refuses
    them in keys. No value is null.
    """
    out = io.BytesIO()
    frame.select(COLUMNS).write_csv(
        out, include_header=False, separator="\t", line_terminator="\n", quote_style="never"
    )
    return out.getvalue()


def leftovers() -> list[tuple[str, int, int]]:
    """All staging tables as (name within the staging schema, job id, token)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND relkind = 'r'",
            [STAGING_SCHEMA],
        )
        names = [row[0] for row in cursor.fetchall()]
    matches = [(name, _NAME.match(name)) for name in names]
    return [(name, int(match[1]), int(match[2])) for name, match in matches if match]


def drop_leftover(name: str) -> None:
    """Drop a table that `leftovers` names, unless it is in use. Raises OperationalError then.

    A worker that sleeps in the middle of a COPY holds its table; the caller does not wait for it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '200ms'")
        table = sql.Identifier(STAGING_SCHEMA, name)
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
