"""A readable SQL view for each record type, for reporting tools: `records_<type>`.

The first columns are the store's own (`_id`, `_tenant_id`, `_key`, `_active`, `_created_at`,
`_changed_at`); then there is a column for each field, cast from the stored JSON. A view runs with
the rights of its reader, so row-level security applies. A value that does not fit its column's type
is NULL and never an error. Moments are as the sender wrote them; those with an offset are in UTC.
Source: design.md section 7.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ProgrammingError

from portal import rls
from portal.records.catalog import catalog
from portal.records.definitions import Field, FieldType, RecordType

_CASTS = {
    FieldType.INTEGER: "bigint",
    FieldType.NUMBER: "numeric",
    FieldType.CREDIT: "numeric",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATETIME: "timestamp",
    FieldType.GUID: "uuid",
    FieldType.OBJECT: "jsonb",
}
_OURS = (
    "id AS _id, tenant_id AS _tenant_id, replace(key, chr(31), ' / ') AS _key, active AS _active, "
    "created_at AS _created_at, changed_at AS _changed_at"
)


def name(record_type: RecordType) -> str:
    """The view's name, not quoted."""
    return f"records_{record_type.name}"


def make(connection: BaseDatabaseWrapper) -> None:
    """Create or replace the views of all record types in the catalog, as the owner."""
    for record_type in catalog().order():
        view = _identifier(name(record_type))
        body = f"VIEW {view} WITH (security_invoker = true) AS {query(record_type)}"
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            try:
                with transaction.atomic(using=connection.alias):
                    cursor.execute(f"CREATE OR REPLACE {body}")
            except ProgrammingError:  # columns were renamed or removed, or have another type
                cursor.execute(f"DROP VIEW {view}")
                cursor.execute(f"CREATE {body}")
            cursor.execute(f"GRANT SELECT ON {view} TO {rls.APP_ROLE}")
            cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON {view} FROM {rls.APP_ROLE}")


def query(record_type: RecordType) -> str:
    """The SELECT of a view; names and keys are quoted, so that a pack may use any."""
    columns = ", ".join([_OURS, *(_column(field) for field in record_type.fields)])
    return (
        f"SELECT {columns} FROM portal_record WHERE kind_id = "  # noqa: S608
        f"(SELECT id FROM portal_recordkind WHERE name = {_literal(record_type.name)})"
    )


def after_migrate(using: str, **_kwargs: Any) -> None:
    """The post_migrate receiver; only the owner may create views."""
    if not settings.DATABASE_ROLE:
        make(connections[using])


def _column(field: Field) -> str:
    shown = _identifier(field.name)
    if field.many:
        return f"data -> {_literal(field.name)} AS {shown}"
    text = f"(data ->> {_literal(field.name)})"
    cast = _CASTS.get(field.type)
    if cast is None:
        return f"{text} AS {shown}"
    return f"CASE WHEN pg_input_is_valid({text}, '{cast}') THEN {text}::{cast} END AS {shown}"


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A SQL string; `%` is not escaped, because these statements have no parameters."""
    return "'" + text.replace("'", "''") + "'"
