"""The writer thread of the staging table: what it copies, and how it ends when something breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import polars as pl
import psycopg
import pytest
from django.db import connection

from imports.load import staging
from tests.imports.institution import Institution

SECONDS = 20


def rows(*documents: str) -> pl.DataFrame:
    number = len(documents)
    return pl.DataFrame(
        {
            "line": range(2, 2 + number),
            "key": [f'k\\ "ü" {n}' for n in range(number)],
            "operation": ["upsert"] * number,
            "data": documents,
            "source_hash": range(number),
        },
        schema_overrides={"source_hash": pl.Int64},
    )


def ends(act: Callable[[], None]) -> BaseException | None:
    """What the act raises; it must end by itself, whatever that is."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "The writer waits for ever."
    return raised[0] if raised else None


def stored(table: staging.StagingTable) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        columns = "SELECT line, key, data, source_hash FROM {rows} ORDER BY line"
        cursor.execute(table.statement(columns))
        return cursor.fetchall()


def test_it_copies_what_it_is_given(institution: Institution) -> None:
    job = institution.job("accounts", "")
    with staging.table(job) as table:
        with staging.Writer(table) as writer:
            writer.write(rows('{"a":"x\\ty\\\\"}', '{"b":"line\\nbreak \\" ü"}'))
        assert [row[:2] for row in stored(table)] == [
            (2, 'k\\ "ü" 0'),
            (3, 'k\\ "ü" 1'),
        ]
        assert [row[3] for row in stored(table)] == [0, 1]
    assert not staging.leftovers()


def test_it_ends_when_the_reading_side_fails_and_keeps_nothing(institution: Institution) -> None:
    job = institution.job("accounts", "")
    with staging.table(job) as table:

        def act() -> None:
            with staging.Writer(table) as writer:
                writer.write(rows("{}"))
                raise LookupError("the reading side")

        assert isinstance(ends(act), LookupError)
        assert not staging.leftovers()


def test_it_ends_and_tells_when_a_row_cannot_be_stored(institution: Institution) -> None:
    job = institution.job("accounts", "")
    with staging.table(job) as table:

        def act() -> None:
            with staging.Writer(table) as writer:
                writer.write(rows("no json"))

        assert isinstance(ends(act), psycopg.DataError)


def test_it_ends_and_tells_when_its_connection_is_cut(institution: Institution) -> None:
    job = institution.job("accounts", "")
    with staging.table(job) as table:

        def act() -> None:
            with staging.Writer(table) as writer:
                writer.write(rows("{}"))
                cut_copies(table)
                for _ in range(100):
                    writer.write(rows("{}"))

        assert isinstance(ends(act), psycopg.OperationalError)


def cut_copies(table: staging.StagingTable) -> None:
    """End the backend that copies into the table, as soon as it does; as the databases' owner."""
    deadline = time.monotonic() + SECONDS
    address = {**connection.get_connection_params(), "options": ""}
    with psycopg.connect(**address, autocommit=True) as owner:
        while time.monotonic() < deadline:
            ended = owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s",
                [f"COPY {table.rows.as_string(owner)} %"],
            )
            if ended.fetchall():
                return
    raise AssertionError("Nothing copies into the table.")


@pytest.mark.parametrize("name", ["job_7_1", "match_7_1"])
def test_it_knows_its_tables_by_their_names(institution: Institution, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE staging.{name} ()")
        assert (name, 7, 1) in staging.leftovers()
        cursor.execute(f"DROP TABLE staging.{name}")
