"""The limit: what PostgreSQL itself needs for the clean rows, nothing checked.

COPY into an unlogged typed table, then INSERT … SELECT … ON CONFLICT DO UPDATE into a plain typed
table with the same unique key, in one transaction, as a first load.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.ground import Ground

_COLUMNS = (
    "person text, section text, status text, first_name text, last_name text, email text, "
    "credits numeric(4, 2), grade_option text, registered date, begins date, changed date, "
    "grade text"
)
_NAMES = (
    "person, section, status, first_name, last_name, email, credits, grade_option, registered, "
    "begins, changed, grade"
)
_BLOCK = 1 << 20


def reset(ground: Ground) -> None:
    """Empty tables, as on a first load."""
    ground.run(
        "DROP TABLE IF EXISTS limit_rows, limit_staging",
        f"CREATE TABLE limit_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        f"tenant_id bigint NOT NULL, {_COLUMNS}, UNIQUE (tenant_id, person, section))",
    )
    ground.settle()


def seconds(ground: Ground, clean: Path) -> float:
    """Load the clean file once; `reset` must have come before."""
    updates = ", ".join(f"{n} = excluded.{n}" for n in _NAMES.split(", ")[2:])
    with ground.connect() as connection, clean.open("rb") as file:
        began = time.perf_counter()
        connection.execute(
            f"CREATE UNLOGGED TABLE limit_staging ({_COLUMNS}) WITH (autovacuum_enabled = false)"
        )
        with connection.cursor().copy("COPY limit_staging FROM STDIN (FORMAT csv)") as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
        connection.execute(
            f"INSERT INTO limit_rows (tenant_id, {_NAMES}) SELECT 1, {_NAMES} FROM limit_staging "
            f"ON CONFLICT (tenant_id, person, section) DO UPDATE SET {updates}"
        )
        connection.execute("DROP TABLE limit_staging")
        return time.perf_counter() - began


def drop(ground: Ground) -> None:
    """Leave nothing to vacuum."""
    ground.run("DROP TABLE IF EXISTS limit_rows, limit_staging")
