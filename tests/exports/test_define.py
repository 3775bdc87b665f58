"""What is refused when a person makes or changes an export or a server, by path and code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from django.utils import timezone

from exports import define, servers
from exports.define import Definition
from exports.models import Export, Server
from exports.servers import Access
from portal import provision, tenancy
from portal.changes import Actor, ChangedMeanwhile
from portal.faults import Fault, Refused
from portal.models import Role, Tenant

ACCESS = Access(name="Partner", host="sftp.example", port=22, username="u", password="p@ss")


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with tenancy.everyone("a test makes its tenant"):
        yield provision.tenant("Harbor State University", "harbor")


@pytest.fixture
def actor(tenant: Tenant) -> Actor:
    return Actor(provision.user("admin@harbor.example", "x" * 20, tenant, Role.ADMIN))


@pytest.fixture
def server(tenant: Tenant, actor: Actor) -> Server:
    return servers.create(tenant, actor, ACCESS)


@pytest.fixture
def definition(server: Server) -> Definition:
    return Definition(
        name="Completed courses",
        source={"events": []},
        columns=[],
        format="csv",
        name_pattern="{event}_{date}",
        at=time(2),
        time_zone="America/Chicago",
        days=[1],
        empty="skip",
        compression="",
        trigger="",
        keep_days=30,
        destinations=((server, "in"),),
    )


@pytest.fixture
def export(tenant: Tenant, actor: Actor, definition: Definition) -> Export:
    return define.create(tenant, actor, definition)


def fault(refused: pytest.ExceptionInfo[Refused]) -> Fault:
    (only,) = refused.value.faults
    return only


def test_a_name_that_is_taken_is_refused_whatever_its_capitals(
    tenant: Tenant, actor: Actor, definition: Definition, export: Export
) -> None:
    with pytest.raises(Refused) as refused:
        define.create(tenant, actor, replace(definition, name=export.name.upper()))
    assert (fault(refused).path, fault(refused).code) == (("name",), "name_taken")
    assert Export.objects.count() == 1


def test_a_folder_that_is_named_twice_is_refused(
    actor: Actor, definition: Definition, export: Export
) -> None:
    twice = replace(definition, destinations=definition.destinations * 2)
    with pytest.raises(Refused) as refused:
        define.change(export, actor, twice, based_on=1)
    assert (fault(refused).path, fault(refused).code) == (("destinations",), "same_folder")
    assert define.stored(export) == definition


def test_of_two_who_save_the_second_learns_what_differs(
    actor: Actor, definition: Definition, export: Export
) -> None:
    define.change(export, actor, replace(definition, format="json"), based_on=1)
    with pytest.raises(ChangedMeanwhile) as refused:
        define.change(export, actor, replace(definition, destinations=()), based_on=1)
    assert (refused.value.number, refused.value.differs) == (2, ("format", "destinations"))
    Export.objects.filter(pk=export.pk).delete()
    with pytest.raises(Refused) as deleted:
        define.change(export, actor, definition, based_on=1)
    assert fault(deleted).code == "deleted"


@pytest.mark.parametrize(
    ("first", "last", "path", "code"),
    [(3, 0, "last", "not_over"), (3, 4, "first", "reversed"), (99, 1, "first", "too_many_days")],
)
def test_past_dates_are_refused_at_the_date_that_is_wrong(
    actor: Actor, export: Export, first: int, last: int, path: str, code: str
) -> None:
    today = define.newest_date(export, timezone.now()) + timedelta(days=1)

    def ago(days: int) -> date:
        return today - timedelta(days=days)

    with pytest.raises(Refused) as refused:
        define.back_fill(export, actor, ago(first), ago(last), timezone.now())
    assert (fault(refused).path, fault(refused).code) == ((path,), code)
    assert not export.runs.exists()


def test_a_server_is_refused_for_its_name_its_key_and_while_it_is_used(
    tenant: Tenant, actor: Actor, server: Server, export: Export
) -> None:
    with pytest.raises(Refused) as refused:
        servers.create(tenant, actor, replace(ACCESS, name="PARTNER"))
    assert (fault(refused).path, fault(refused).code) == (("name",), "name_taken")
    with pytest.raises(Refused) as refused:
        servers.change(server, actor, replace(ACCESS, private_key="no key"))
    assert (fault(refused).path, fault(refused).code) == (("private_key",), "bad_private_key")
    with pytest.raises(Refused) as refused:
        servers.delete(server, actor)
    assert fault(refused).code == "in_use"
    assert Server.objects.count() == 1
