"""A view per record type: readable, typed, bound to the tenant, and never an error."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from portal import provision, tenancy
from portal.models import Record, RecordKind, Tenant
from portal.records import views
from portal.records.catalog import catalog
from portal.records.definitions import Field, FieldType, RecordType

pytestmark = pytest.mark.django_db


@pytest.fixture
def oak() -> Tenant:
    provision.record_kinds()
    return Tenant.objects.create(name="oak", slug="oak")


def store(tenant: Tenant, kind: str, key: str, **data: Any) -> None:
    Record.objects.create(tenant=tenant, kind=RecordKind.objects.get(name=kind), key=key, data=data)


def rows(query: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def owner() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        yield
        cursor.execute("SET LOCAL ROLE causeway_app")


def test_every_type_has_a_view_with_a_column_per_field(oak: Tenant) -> None:
    for record_type in catalog().order():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{views.name(record_type)}"')  # noqa: S608
            names = [column.name for column in cursor.description]
        assert names[6:] == [field.name for field in record_type.fields]
    assert len(catalog().order()) >= 10


def test_values_have_their_types(oak: Tenant) -> None:
    with tenancy.scope(oak.pk):
        store(oak, "sections", "s1", Credits=3.5, BeginDate="2026-09-01T08:00:00Z", Title=None)
        (row,) = rows("SELECT * FROM records_sections")
    assert row["Credits"] == Decimal("3.5")
    assert row["BeginDate"] == datetime.datetime(2026, 9, 1, 8)
    assert (row["Title"], row["_key"], row["_active"]) == (None, "s1", True)


def test_a_list_stays_a_list_and_a_key_of_parts_is_readable(oak: Tenant) -> None:
    with tenancy.scope(oak.pk):
        store(oak, "academic_programs", "a\x1fb", CourseIdentifiers=["c1", "c2"])
        (row,) = rows("SELECT * FROM records_academic_programs")
    assert row["CourseIdentifiers"] in (["c1", "c2"], '["c1", "c2"]')
    assert row["_key"] == "a / b"


@pytest.mark.parametrize("value", ["0000-01-01", "2026-13-45", "soon", "", "999999999-01-01", {}])
def test_a_value_that_does_not_fit_is_null_and_no_error(oak: Tenant, value: object) -> None:
    with tenancy.scope(oak.pk):
        store(oak, "academic_terms", "t1", BeginDate=value)
        (row,) = rows("SELECT * FROM records_academic_terms")
    assert row["BeginDate"] is None


def test_a_view_shows_the_tenant_in_scope_only(oak: Tenant) -> None:
    elm = Tenant.objects.create(name="elm", slug="elm")
    with tenancy.scope(oak.pk):
        store(oak, "courses", "c1")
    with tenancy.scope(elm.pk):
        assert rows("SELECT * FROM records_courses") == []
    assert rows("SELECT * FROM records_courses") == []


def test_the_application_cannot_write_through_a_view(oak: Tenant) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        rows("DELETE FROM records_courses RETURNING 1")


NASTY = "a\"; DROP TABLE portal_tenant; --'%s"


def strange(*fields: Field) -> RecordType:
    return RecordType(
        name="strange'type", pack="test", label="Strange", key=(fields[0].name,), fields=fields
    )


def test_names_are_quoted_whatever_they_are(oak: Tenant) -> None:
    query = views.query(strange(Field(name=NASTY)))
    with owner(), connection.cursor() as cursor:
        cursor.execute(f"CREATE VIEW strange AS {query}")
        cursor.execute("SELECT * FROM strange")
        assert cursor.description[-1].name == NASTY


def test_a_view_is_made_anew_when_its_columns_changed(
    oak: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = [
        [strange(Field(name="a"), Field(name="b", type=FieldType.DATE))],
        [strange(Field(name="b"))],
    ]

    class Catalog:
        def order(self) -> list[RecordType]:
            return types[0]

    monkeypatch.setattr(views, "catalog", Catalog)
    with owner():
        views.make(connection)
        types.pop(0)
        views.make(connection)
        views.make(connection)
        with connection.cursor() as cursor:
            cursor.execute('SELECT * FROM "records_strange\'type"')
            assert [column.name for column in cursor.description][6:] == ["b"]
