"""Row-level security on every table that has a tenant, set after each migration, not by hand.

The application's role neither owns the tables nor bypasses the policies, so a query that forgets
its tenant finds nothing (design.md section 3, rule 7; reliability rule 23).
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
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
    """Create the role, its grants, the staging schema and all policies. Safe to repeat."""
    with connection.cursor() as cursor:
        _role(cursor)
        _grants(cursor)
        for table in tenant_tables():
            _policy(cursor, table)


def _role(cursor: CursorWrapper) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE])
    if not cursor.fetchone():
        cursor.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN NOBYPASSRLS")
    cursor.execute("SELECT current_user")
    (owner,) = cursor.fetchone()
    cursor.execute(f'GRANT {APP_ROLE} TO "{owner}"')


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
    cursor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    cursor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    cursor.execute(f'DROP POLICY IF EXISTS {POLICY} ON "{table}"')
    cursor.execute(
        f'CREATE POLICY {POLICY} ON "{table}" USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})'
    )


def after_migrate(using: str, app_config: Any, **_kwargs: Any) -> None:
    """The post_migrate receiver. Runs once per app; the last app sees every table."""
    if settings.DATABASE_ROLE or app_config.name != "portal":
        return
    apply(connections[using])


def unprotected(connection: BaseDatabaseWrapper) -> list[str]:
    """Tenant tables without forced row-level security; empty is right."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r' "
            "AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1",
            [tenant_tables()],
        )
        return [row[0] for row in cursor.fetchall()]
