"""The digest of a plan: which records it creates, updates and removes, and to what. In SQL sets.

It is kept with a held job or a dry run and compared when that is released: a plan with the same
numbers may still be another one. It does not depend on the order of rows, and is only made where a
person looks at the plan or has looked at it: a million effects take some seconds.
"""

from __future__ import annotations

from django.db import connection, transaction

from imports.load.plan import Absent, choose_join, removed
from imports.load.staging import StagingTable
from imports.load.stored import Target


def digests(
    staging: StagingTable, target: Target, staged: int, absent: Absent | None
) -> dict[str, str]:
    """The digest of each effect, by the name of its limit; an effect without records has none.

    It is over the key, the document before and the document after. absent: which records a mirror
    removes because its file does not name them; None for other files.
    """
    removing, values = removed(staging, target, absent)
    statement = staging.statement(
        "SELECT effect, count(*), sum(hashtextextended(what, 0)), sum(hashtextextended(what, 1)) "
        "FROM (SELECT 'creates' AS effect, s.key || chr(30) || s.data::text AS what FROM {rows} s "
        "WHERE NOT EXISTS (SELECT FROM {matches} m WHERE m.line = s.line) "
        "UNION ALL SELECT 'updates', concat_ws(chr(30), r.key, r.active, r.data, r.data || s.data) "
        "FROM {matches} m JOIN {rows} s USING (line) JOIN portal_record r USING (id) "
        "WHERE m.verdict = 'update' "
        "UNION ALL SELECT 'removes', r.key || chr(30) || r.data::text FROM portal_record r "
        "WHERE r.tenant_id = %s AND r.id IN ({removed})) effects GROUP BY effect",
        removed=removing,
    )
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(staged)
        cursor.execute(statement, [target.tenant_id, *values])
        rows = cursor.fetchall()
    return {
        effect: f"{count}-{first:x}-{second:x}" for effect, count, first, second in _whole(rows)
    }


def _whole(rows: list[tuple[str, int, object, object]]) -> list[tuple[str, int, int, int]]:
    """Sums of 64-bit numbers come as decimals; only their last 64 bits count."""
    mask = (1 << 64) - 1
    return [(effect, n, int(str(a)) & mask, int(str(b)) & mask) for effect, n, a, b in rows]
