"""From when to when each row and each stored record lasts, for the rule `within_parent`."""

from __future__ import annotations

import polars as pl
from django.db import connection

from imports.check.keys import key_hash
from imports.load.plan import accepted
from imports.load.staging import StagingTable
from imports.load.stored import Target
from portal.records.definitions import Operation, RecordType, Rule


def spans(
    stage: StagingTable, target: Target, record_type: RecordType, rule: Rule
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The accepted rows with their parent and two dates, and the dates of all records after them.

    Keys are hashes. A record that the file names has the file's dates, save where it has none.
    """
    rows, records = _rows(stage, target, rule), _records(target, rule)
    names = ("key", "parent")
    rows = rows.with_columns(
        key_hash([pl.col(name)], record_type.fold_key).alias(name) for name in names
    )
    records = records.with_columns(key_hash([pl.col("key")], record_type.fold_key))
    own = rows.select("key", "begin", "end")
    parents = pl.concat([own, records]).unique("key", keep="first", maintain_order=True)
    return rows.filter(pl.col("parent").is_not_null()), parents


def _rows(stage: StagingTable, target: Target, rule: Rule) -> pl.DataFrame:
    first, last = rule.values
    statement = stage.statement(
        "SELECT s.line, s.key, s.data ->> %s, coalesce(s.data ->> %s, r.data ->> %s), "
        "coalesce(s.data ->> %s, r.data ->> %s) "
        "FROM (SELECT s.* FROM {accepted} AND s.operation <> %s) s "
        "LEFT JOIN portal_record r ON r.tenant_id = %s AND r.kind_id = %s AND r.key = s.key",
        accepted=accepted(stage),
    )
    values = [rule.field, first, first, last, last, Operation.REMOVE]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, target.tenant_id, target.kind_id])
        return _frame(cursor.fetchall(), ("line", "key", "parent", "begin", "end"))


def _records(target: Target, rule: Rule) -> pl.DataFrame:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, data ->> %s, data ->> %s FROM portal_record "
            "WHERE tenant_id = %s AND kind_id = %s AND active",
            [*rule.values, target.tenant_id, target.kind_id],
        )
        return _frame(cursor.fetchall(), ("key", "begin", "end"))


def _frame(rows: list[tuple[object, ...]], names: tuple[str, ...]) -> pl.DataFrame:
    schema = {name: pl.Int64() if name == "line" else pl.String() for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")
