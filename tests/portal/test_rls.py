"""Row-level security: the database itself keeps tenants apart, and the audit trail as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.db.utils import ProgrammingError

from portal import audit, rls, tenancy
from portal.models import AuditEntry, Endpoint, Tenant, User

pytestmark = pytest.mark.django_db

OUTSIDE = {"portal_membership"}


@pytest.fixture
def oak() -> Tenant:
    return Tenant.objects.create(name="oak", slug="oak")


@pytest.fixture
def elm() -> Tenant:
    return Tenant.objects.create(name="elm", slug="elm")


@contextmanager
def owner() -> Iterator[None]:
    """As who owns the tables."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        yield
        cursor.execute(f"SET LOCAL ROLE {rls.APP_ROLE}")


def ask(query: str, *values: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


def refused(query: str, match: str) -> None:
    with pytest.raises(ProgrammingError, match=match), transaction.atomic():
        ask(query)


def test_every_table_with_a_tenant_column_is_bound_even_for_its_owner() -> None:
    """Asked from the database, not from the models that the policies were made from."""
    rows = ask(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, "
        "(SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace "
        "AND a.attname = 'tenant_id' AND NOT a.attisdropped"
    )
    tables = {name: rest for name, *rest in rows if name not in OUTSIDE}
    assert len(tables) > 10
    assert {name for name, rest in tables.items() if rest != [True, True, 1]} == set()


def test_the_exceptions_are_those_that_are_known() -> None:
    models = apps.get_models()
    assert {m._meta.db_table for m in models if hasattr(m, "seen_before_tenant")} == OUTSIDE


def test_the_role_of_the_application_is_bound_and_owns_nothing() -> None:
    ((role, above),) = ask(
        "SELECT current_user, rolsuper OR rolbypassrls OR rolcreaterole OR rolcanlogin "
        "FROM pg_roles WHERE rolname = current_user"
    )
    assert (role, above) == (rls.APP_ROLE, False)
    assert ask("SELECT relname FROM pg_class WHERE relowner = current_user::regrole") == []


def test_a_query_that_forgets_its_tenant_finds_nothing_and_changes_nothing(oak: Tenant) -> None:
    with tenancy.scope(oak.pk):
        Endpoint.objects.create(tenant=oak, name="oak")
    assert Endpoint.objects.count() == 0
    assert Endpoint.objects.update(name="x") == 0
    assert Endpoint.objects.all().delete() == (0, {})
    with tenancy.scope(oak.pk):
        assert Endpoint.objects.get().name == "oak"


@pytest.mark.parametrize("setting", ["", "abc", "-1", "1 OR true", "0"])
def test_a_strange_setting_shows_nothing(oak: Tenant, setting: str) -> None:
    with tenancy.scope(oak.pk):
        Endpoint.objects.create(tenant=oak, name="oak")
        ask("SELECT set_config('app.tenant', %s, false)", setting)
        assert Endpoint.objects.count() == 0


def test_a_row_for_another_tenant_is_refused(oak: Tenant, elm: Tenant) -> None:
    smuggled = Endpoint(tenant=elm, name="smuggled")
    refused_by_policy = pytest.raises(ProgrammingError, match="row-level security")
    with tenancy.scope(oak.pk), refused_by_policy, transaction.atomic():
        smuggled.save()


def test_a_row_cannot_be_given_to_another_tenant(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(oak.pk):
        Endpoint.objects.create(tenant=oak, name="oak")
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Endpoint.objects.update(tenant=elm)


def test_another_tenants_row_can_be_neither_changed_nor_deleted(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(oak.pk):
        Endpoint.objects.create(tenant=oak, name="oak")
    with tenancy.scope(elm.pk):
        assert Endpoint.objects.filter(name="oak").update(name="mine") == 0
        assert ask("DELETE FROM portal_endpoint RETURNING 1") == []


def test_the_owner_is_bound_too(oak: Tenant) -> None:
    """A superuser is not; any other owner is, by FORCE."""
    with owner(), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE plain_owner")
        cursor.execute("GRANT CREATE, USAGE ON SCHEMA public TO plain_owner")
        cursor.execute("ALTER TABLE portal_endpoint OWNER TO plain_owner")
        cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(oak.pk)])
        Endpoint.objects.create(tenant=oak, name="oak")
        cursor.execute("SELECT set_config('app.tenant', '', true)")
        cursor.execute("SET LOCAL ROLE plain_owner")
        assert Endpoint.objects.count() == 0
        cursor.execute("SET LOCAL ROLE NONE")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE portal_endpoint DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_scope ON portal_endpoint",
        "ALTER TABLE portal_auditentry OWNER TO causeway_app",
        "CREATE TABLE public.mine (x int)",
    ],
)
def test_the_application_cannot_loosen_its_bonds(statement: str) -> None:
    refused(statement, "must be owner|permission denied")


@pytest.mark.parametrize(
    "statement", ["UPDATE portal_auditentry SET action = 'x'", "DELETE FROM portal_auditentry"]
)
def test_the_audit_trail_can_only_be_added_to(oak: Tenant, statement: str) -> None:
    with tenancy.scope(oak.pk):
        audit.record(oak.pk, "job.release", "job 7", reason="checked")
        refused(statement, "permission denied for table portal_auditentry")
        entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail) == (
        "job.release",
        "job 7",
        {"reason": "checked"},
    )


def test_a_person_with_a_trail_is_kept(oak: Tenant) -> None:
    user = User.objects.create_user("ada@example.org")
    with tenancy.scope(oak.pk):
        audit.record(oak.pk, "job.release", user=user)
    with tenancy.everyone("a test deletes"), pytest.raises(ProtectedError):
        user.delete()


def test_policies_can_be_set_again_without_touching_what_is_right() -> None:
    with owner():
        before = ask("SELECT array_agg(oid ORDER BY oid) FROM pg_policy")
        rls.apply(connection)
        assert ask("SELECT array_agg(oid ORDER BY oid) FROM pg_policy") == before
        assert rls.unprotected(connection) == []


def test_a_policy_that_was_changed_or_lost_is_mended() -> None:
    with owner(), connection.cursor() as cursor:
        cursor.execute("DROP POLICY tenant_scope ON portal_drop")
        cursor.execute("CREATE POLICY tenant_scope ON portal_drop USING (true)")
        cursor.execute("ALTER TABLE portal_upload DISABLE ROW LEVEL SECURITY")
        assert rls.unprotected(connection) == ["portal_drop", "portal_upload"]
        rls.apply(connection)
        assert rls.unprotected(connection) == []


def test_a_lookup_by_tenant_and_key_uses_the_index(oak: Tenant) -> None:
    """The policy must not turn the store's one hot lookup into a scan."""
    with tenancy.scope(oak.pk):
        ask("SELECT set_config('enable_seqscan', 'off', true)")
        plan = ask(
            "EXPLAIN SELECT id FROM portal_record WHERE tenant_id = %s AND kind_id = 1 "
            "AND key = 'a'",
            oak.pk,
        )
    assert "one_record_per_key" in str(plan)
