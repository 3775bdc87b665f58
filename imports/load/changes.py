"""What a plan does to single records that looks like a mistake, counted in sets by SQL.

The conditions are SQL over s, the staged row, and r, the stored record; the page of a held plan
takes its examples by the same conditions (`imports/load/diff.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString

from django.db import connection
from psycopg import sql

from imports.load.staging import StagingTable
from imports.load.stored import Target
from portal.records.definitions import FieldType, RecordType

_NAMES = frozenset({
    "firstname", "givenname", "forename", "lastname", "surname", "familyname",
})  # fmt: skip
_WHOLE_NAMES = frozenset({"name", "fullname", "displayname"})
_BIRTH = frozenset({"dateofbirth", "birthdate", "birthday", "dob"})
_IDENTIFY_NOBODY = (FieldType.ENUM, FieldType.BOOLEAN, FieldType.OBJECT)
# An identifier that a spreadsheet takes for a number loses its zeros; a date or a reference cannot.
_MAY_LOSE_ZEROS = (FieldType.TEXT, FieldType.INTEGER, FieldType.NUMBER, FieldType.ZIP)
_FEW = 2_000
# The identifiers that a spreadsheet may have made the new one, s.key, of: 0042, 1.50, +15, (12),
# 1E5 (which the store has in lower case), and TRUE in another language.
_SPELLINGS: LiteralString = (
    "SELECT repeat('0', n) || ltrim(s.key, '0') AS key FROM generate_series(0, 12) n"
    " UNION ALL SELECT s.key || CASE WHEN s.key LIKE '%.%' THEN '' ELSE '.' END || repeat('0', n)"
    " FROM generate_series(1, 3) n WHERE s.key ~ '^[0-9]+([.][0-9]+)?$'"
    " UNION ALL SELECT '+' || s.key WHERE s.key ~ '^[0-9]+$'"
    " UNION ALL SELECT '(' || substr(s.key, 2) || ')' WHERE s.key ~ '^-[0-9]+$'"
    " UNION ALL SELECT left(s.key, n) || 'e' || sign || zeros || (length(s.key) - n)::text"
    " FROM generate_series(1, 4) n, unnest(ARRAY['', '+']) sign, unnest(ARRAY['', '0']) zeros"
    " WHERE s.key ~ '^[1-9][0-9]{0,3}0+$' AND substr(s.key, n + 1) ~ '^0+$'"
)


@dataclass(frozen=True, slots=True)
class IdentifyingFields:
    """The fields that tell one record from another beside its key.

    all_differ: each must have another value. none_same: none may have the same value.
    """

    all_differ: tuple[str, ...] = ()
    none_same: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether there are two fields to go by: one alone often changes."""
        return bool(self.all_differ) and len(self.all_differ) + len(self.none_same) > 1


def identity(record_type: RecordType) -> IdentifyingFields:
    """A person's are name, e-mail address and date of birth, another record's are its title's."""
    others = [f for f in record_type.fields if f.name not in record_type.key and not f.many]
    plain = {f.name: re.sub("[^a-z]", "", f.name.lower()) for f in others}
    proofs = [f.name for f in others if f.type == FieldType.EMAIL or plain[f.name] in _BIRTH]
    names = [f.name for f in others if plain[f.name] in _NAMES]
    if proofs and not names:
        names = [f.name for f in others if plain[f.name] in _WHOLE_NAMES]
    if names:
        return IdentifyingFields(tuple(names), tuple(proofs))
    titles = [f.name for f in others if f.name in record_type.title]
    kept = [name for name in titles if record_type.field(name).type not in _IDENTIFY_NOBODY]
    return IdentifyingFields(tuple(kept))


def becomes_another(identity: IdentifyingFields) -> sql.Composed:
    """The condition that a changed record becomes somebody or something else.

    A value that is blank before or after proves nothing, save that all names must be there.
    """
    differ = [_compared(name, "{old} <> {new} AND {old} <> '' AND {new} <> ''", "false")
              for name in identity.all_differ]  # fmt: skip
    apart = [_compared(name, "{old} <> {new} OR {old} = '' OR {new} = ''", "true")
             for name in identity.none_same]  # fmt: skip
    present = [
        _compared(name, "{old} <> '' AND {new} <> ''", "false") for name in identity.none_same
    ]
    conditions = [*differ, *apart]
    if len(differ) == 1 and present:
        conditions.append(sql.SQL("({})").format(sql.SQL(" OR ").join(present)))
    return sql.SQL(" AND ").join(conditions)


def _compared(name: str, condition: LiteralString, unknown: LiteralString) -> sql.Composed:
    """A comparison of one field's values, case and outer spaces ignored."""
    old = sql.SQL("lower(btrim(r.data ->> {}))").format(sql.Literal(name))
    new = sql.SQL("lower(btrim(s.data ->> {}))").format(sql.Literal(name))
    compared = sql.SQL(condition).format(old=old, new=new)
    return sql.SQL("coalesce({}, {})").format(compared, sql.SQL(unknown))


def changed(staging: StagingTable) -> sql.Composed:
    """FROM and WHERE of the rows, s, that change a record, r."""
    return staging.statement(
        "FROM {matches} m JOIN {rows} s USING (line) JOIN portal_record r USING (id) "
        "WHERE m.verdict = 'update'"
    )


def before_and_after(names: Iterable[str]) -> sql.Composed:
    """Rows (name, old, new) for VALUES: texts of the documents `before` and `after`."""
    return sql.SQL(", ").join(
        sql.SQL("({0}, before ->> {0}, after ->> {0})").format(sql.Literal(name)) for name in names
    )


def count_reused(staging: StagingTable, record_type: RecordType) -> int:
    """How many of the changed records become somebody or something else."""
    fields = identity(record_type)
    if not fields.is_enough:
        return 0
    return _count(
        staging.statement(
            "SELECT count(*) {changed} AND {condition}",
            changed=changed(staging),
            condition=becomes_another(fields),
        )
    )


def count_fields(staging: StagingTable, names: Sequence[str]) -> dict[str, int]:
    """In how many stored records each field gets another value. A blank that is filled is none."""
    if not names:
        return {}
    columns = [
        sql.SQL(
            "count(*) FILTER (WHERE s.data ? {0} AND r.data ->> {0} <> '' "
            "AND s.data -> {0} IS DISTINCT FROM r.data -> {0})"
        ).format(sql.Literal(name))
        for name in names
    ]
    statement = staging.statement(
        "SELECT {columns} {changed} AND r.active",
        columns=sql.SQL(", ").join(columns),
        changed=changed(staging),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return dict(zip(names, cursor.fetchone(), strict=True))


def may_lose_zeros(record_type: RecordType) -> bool:
    """Whether the key has a part that could be a number to a spreadsheet."""
    parts = [record_type.field(name) for name in record_type.key]
    return any(part.type in _MAY_LOSE_ZEROS and not part.references for part in parts)


def without_zeros(record_type: RecordType, target: Target, created: int) -> sql.Composed:
    """FROM and WHERE of new rows, s, whose key is that of a record, r, as a spreadsheet writes it.

    A few new rows are looked up in each spelling by the index; for many, one pass over the store
    that compares without leading zeros is shorter.
    """
    where = sql.SQL(
        "r.tenant_id = {tenant} AND r.kind_id = {kind} AND r.active AND r.key <> s.key"
    ).format(tenant=sql.Literal(target.tenant_id), kind=sql.Literal(target.kind_id))
    if len(record_type.key) == 1 and created <= _FEW:
        return sql.SQL(
            " s CROSS JOIN LATERAL ({spellings}) c"
            " JOIN portal_record r ON r.key = c.key AND {where}"
        ).format(spellings=sql.SQL(_SPELLINGS), where=where)
    bare: LiteralString = "ltrim({}, '0')"
    if len(record_type.key) > 1:
        bare = "regexp_replace({}, '(^|\x1f)0+', '\1', 'g')"
    return sql.SQL(" s JOIN portal_record r ON {stored} = {fresh} AND {where}").format(
        stored=sql.SQL(bare).format(sql.SQL("r.key")),
        fresh=sql.SQL(bare).format(sql.SQL("s.key")),
        where=where,
    )


def fresh_rows(staging: StagingTable) -> sql.Composed:
    """The staged rows that have no record, as a table."""
    return staging.statement(
        "(SELECT s.line, s.key, s.data FROM {rows} s WHERE NOT EXISTS "
        "(SELECT FROM {matches} m WHERE m.line = s.line))"
    )


def count_zeros(
    staging: StagingTable, target: Target, record_type: RecordType, created: int
) -> int:
    """How many new rows have the key of a record in another spelling of a number, as 42 of 0042."""
    if not may_lose_zeros(record_type):
        return 0
    return _count(
        sql.SQL("SELECT count(DISTINCT s.line) FROM {fresh}{rest}").format(
            fresh=fresh_rows(staging), rest=without_zeros(record_type, target, created)
        )
    )


def _count(statement: sql.Composable) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (count,) = cursor.fetchone()
    return int(count)
