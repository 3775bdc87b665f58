"""Row-level security on every table that has a tenant, set after each migration, not by hand.

The application's role neither owns the tables nor bypasses the policies, so a query that forgets
its tenant finds nothing (design.md section 3, rule 7; reliability rule 23).
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

APP_ROLE = "causeway_app"
STAGING_SCHEMA = "staging"
POLICY = "tenant_scope"
_VISIBLE = (
    "(SELECT current_setting('app.tenant', true)) = '*' OR tenant_id = "
    "(SELECT CASE WHEN current_setting('app.tenant', true) ~ '^[0-9]+$' "
    "THEN current_setting('app.tenant', true)::bigint END)"
)
_MARK = hashlib.sha256(_VISIBLE.encode()).hexdigest()[:16]


def tenant_tables() -> list[str]:
    """Names of all tables whose model has a `tenant` foreign key and asks for isolation."""
    return sorted(
        model._meta.db_table
        for model in apps.get_models()
        if any(f.name == "tenant" for f in model._meta.fields)
        and not getattr(model, "seen_before_tenant", False)
    )


def append_only_tables() -> list[str]:
    """Names of tables that the application may add to, but never change or empty."""
    return sorted(m._meta.db_table for m in apps.get_models() if getattr(m, "append_only", False))


def apply(connection: BaseDatabaseWrapper) -> None:
    """Create the role, its grants, the staging schema and all policies.

    Safe to repeat while processes run: what is right is not changed, all grants become visible at
    once, and no two tables are locked at the same time.
    """
    with connection.cursor() as cursor:
        with transaction.atomic(using=connection.alias):
            _role(cursor)
            _grants(cursor)
        for table in tenant_tables():
            with transaction.atomic(using=connection.alias):
                _policy(cursor, table)


def _role(cursor: CursorWrapper) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE])
    if not cursor.fetchone():
        cursor.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN NOBYPASSRLS")
    cursor.execute("SELECT pg_has_role(%s, 'SET')", [APP_ROLE])
    if cursor.fetchone() == (False,):
        cursor.execute(f"GRANT {APP_ROLE} TO CURRENT_USER")


def _grants(cursor: CursorWrapper) -> None:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {STAGING_SCHEMA}")
    cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA {STAGING_SCHEMA} TO {APP_ROLE}")
    cursor.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    cursor.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}"
    )
    cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    for table in append_only_tables():
        cursor.execute(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP_ROLE}')


def _policy(cursor: CursorWrapper, table: str) -> None:
    """Set the policy, unless it is there already; its comment identifies its version."""
    cursor.execute(
        "SELECT 1 FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = %s "
        "WHERE c.oid = to_regclass(%s) AND c.relrowsecurity AND c.relforcerowsecurity "
        "AND obj_description(p.oid, 'pg_policy') = %s",
        [POLICY, f'"{table}"', _MARK],
    )
    if cursor.fetchone():
        return
    cursor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    cursor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    cursor.execute(f'DROP POLICY IF EXISTS {POLICY} ON "{table}"')
    cursor.execute(
        f'CREATE POLICY {POLICY} ON "{table}" USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})'
    )
    cursor.execute(f"COMMENT ON POLICY {POLICY} ON \"{table}\" IS '{_MARK}'")


def after_migrate(using: str, app_config: Any, **_kwargs: Any) -> None:
    """The post_migrate receiver. Django sends the signal when the tables of all apps exist."""
    if settings.DATABASE_ROLE or app_config.name != "portal":
        return
    apply(connections[using])


def unprotected(connection: BaseDatabaseWrapper) -> list[str]:
    """Tenant tables that are missing or have no policy; an empty list is right."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) name WHERE NOT EXISTS (SELECT FROM pg_class c "
            "JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = %s WHERE c.oid = "
            "to_regclass(quote_ident(name)) AND c.relrowsecurity AND c.relforcerowsecurity "
            "AND obj_description(p.oid, 'pg_policy') = %s) ORDER BY 1",
            [tenant_tables(), POLICY, _MARK],
        )
        return [row[0] for row in cursor.fetchall()]
