"""New identifiers that equal stored ones but for zeros in front: a spreadsheet took them off.

Measured on the staged rows of a plan, in one statement. Whoever measures decides what to ask.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from imports.load.plan import accepted, choose_join
from imports.load.staging import StagingTable
from imports.load.stored import Target

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class LostZeros:
    """count: new rows. examples: line, the identifier in the file, and the stored one."""

    count: int
    examples: tuple[tuple[int, str, str], ...] = ()

    def sentence(self) -> str:
        """What a person is asked."""
        line, sent, stored = self.examples[0]
        return (
            f"{self.count:,} new identifiers are stored ones without the zeros in front, such as"
            f" {sent} on line {line:,} for {stored}. A spreadsheet may have taken them off."
        )


def measure(staging: StagingTable, target: Target, staged: int) -> LostZeros:
    """Look the new rows' numbers up among the active records' that begin with a zero.

    staged: rows of the staging table. Keys of several fields are not looked at.
    """
    statement = staging.statement(
        "WITH zeros AS MATERIALIZED (SELECT ltrim(key, '0') AS bare, min(key) AS key "
        "FROM portal_record WHERE tenant_id = %s AND kind_id = %s AND active "
        "AND key >= '0' AND key < '1' AND key ~ '^0[0-9]+$' GROUP BY 1), "
        "fresh AS (SELECT s.line, s.key FROM {accepted} "
        "AND NOT EXISTS (SELECT FROM {matches} m WHERE m.line = s.line) "
        "AND s.key ~ '^[0-9]+$') "
        "SELECT f.line, f.key, z.key, count(*) OVER () FROM fresh f "
        "JOIN zeros z ON z.bare = ltrim(f.key, '0') ORDER BY f.line LIMIT %s",
        accepted=accepted(staging),
    )
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(staged)
        cursor.execute(statement, [target.tenant_id, target.kind_id, _EXAMPLES])
        rows = cursor.fetchall()
    if not rows:
        return LostZeros(0)
    return LostZeros(int(rows[0][3]), tuple((int(r[0]), str(r[1]), str(r[2])) for r in rows))
