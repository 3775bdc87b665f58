"""Look-up tables and the jobs that use them: edits, versions, what a running job goes on with."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from imports.mapping.parsing import parse
from imports.mapping.tables import Table
from imports.models import ImportJob, ImportTemplate, IssueGroup, LookupTable, LookupVersion
from imports.templates import actions as template_actions
from imports.templates.lookups import actions as acts
from imports.templates.rules import TemplateIdentity
from portal import tenancy
from portal.changes import Actor
from portal.faults import Refused
from portal.models import AuditEntry, Tenant
from tests.imports.institution import Institution, counts, issues

FILE = "Nr,Vorname,Code,Mail\n7,Ada,n,ada@example.edu\n8,Emmy,S,emmy@example.edu\n"


def content(*rows: tuple[str, ...], **more: Any) -> Table:
    return Table(columns=("code", "name", "short"), rows=rows, **more)


NAMES = (("n", "North", "N1"), ("S", "South", "S1"))


def actor(institution: Institution) -> Actor:
    return Actor(institution.person())


def table(institution: Institution, *rows: tuple[str, ...], **more: Any) -> LookupTable:
    lookup = content(*(rows or NAMES), **more)
    return acts.create(institution.tenant, actor(institution), "Schools", lookup)


def spec(**step: Any) -> dict[str, Any]:
    steps = [{"lookup": {"table": "Schools", **step}}]
    return {
        "version": 1,
        "columns": ["Nr", "Vorname", "Code", "Mail"],
        "fields": {
            "PersonIdentifier": {"columns": ["Nr"]},
            "FirstName": {"columns": ["Vorname"]},
            "LastName": {"columns": ["Code"], "steps": steps},
            "Email": {"columns": ["Mail"]},
        },
    }


def template(institution: Institution, name: str = "People", **step: Any) -> ImportTemplate:
    identity = TemplateIdentity(name=name)
    tenant, who = institution.tenant, actor(institution)
    return template_actions.create(tenant, who, identity, "accounts", parse(spec(**step)))


def send(institution: Institution, people: ImportTemplate, text: str = FILE) -> ImportJob:
    return institution.send("accounts", text, template_version=people.current)


def names(institution: Institution) -> list[str]:
    records = institution.records("accounts")
    return [records[key]["LastName"] for key in sorted(records)]


def test_a_key_becomes_what_the_table_says(institution: Institution) -> None:
    table(institution)
    job = send(institution, template(institution))
    assert (job.state, names(institution)) == ("complete", ["North", "South"]), issues(job)
    assert job.lookups == {"Schools": 1}


def test_any_column_of_the_table_can_be_taken(institution: Institution) -> None:
    table(institution)
    assert send(institution, template(institution, column="short")).state == "complete"
    assert names(institution) == ["N1", "S1"]


def test_an_unknown_key_is_an_issue_with_its_line_column_and_value(
    institution: Institution,
) -> None:
    table(institution, ("n", "North", ""))
    job = send(institution, template(institution))
    assert (job.state, counts(job)) == ("incomplete", {"read": 2, "created": 1, "rejected": 1})
    (group,) = IssueGroup.objects.filter(job=job)
    assert (group.code, group.column, group.examples) == ("not_in_list", "Code", [[3, "S"]])
    assert 'The look-up table "Schools" does not have it.' in group.message


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"other": "keep"}, ["North", "S"]),
        ({"other": "default", "default": "Elsewhere"}, ["North", "Elsewhere"]),
    ],
)
def test_an_unknown_key_may_stay_or_take_a_default(
    institution: Institution, step: dict[str, str], expected: list[str]
) -> None:
    table(institution, ("n", "North", ""))
    assert send(institution, template(institution, **step)).state == "complete"
    assert names(institution) == expected


def test_capitals_of_keys_may_be_the_same(institution: Institution) -> None:
    table(institution, ("N", "North", ""), ("s", "South", ""), fold=True)
    assert send(institution, template(institution)).state == "complete"
    assert names(institution) == ["North", "South"]


def test_the_same_file_is_read_again_after_the_table_has_changed(
    institution: Institution,
) -> None:
    """Its bytes are those that are stored already, but they mean something else now."""
    people, lookup = template_after_table(institution)
    send(institution, people)
    again = send(institution, people)
    assert counts(again) == {"read": 2, "unchanged": 2}
    acts.set_row(lookup, actor(institution), ("S", "Southern", "S1"), based_on=1)
    changed = send(institution, people)
    assert (counts(changed), changed.lookups) == (
        {"read": 2, "updated": 1, "unchanged": 1}, {"Schools": 2},
    )  # fmt: skip
    assert names(institution) == ["North", "Southern"]


def template_after_table(institution: Institution) -> tuple[ImportTemplate, LookupTable]:
    lookup = table(institution)
    return template(institution), lookup


def test_a_held_job_goes_on_with_the_table_that_it_was_planned_with(
    institution: Institution,
) -> None:
    people, lookup = template_after_table(institution)
    job = institution.send("accounts", FILE, template_version=people.current, limits={"creates": 1})
    assert job.state == "held"
    acts.replace(lookup, actor(institution), content(("x", "Y", "")), based_on=1)
    institution.release(job)
    assert (job.state, names(institution)) == ("complete", ["North", "South"])


def test_versions_that_a_waiting_job_runs_with_are_kept(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MOST_VERSIONS", 2)
    people, lookup = template_after_table(institution)
    job = institution.send("accounts", FILE, template_version=people.current, limits={"creates": 1})
    for number in range(1, 5):
        row = ("x", f"Y{number}", "")
        acts.replace(lookup, actor(institution), content(row), based_on=number)
    kept = sorted(lookup.versions.values_list("number", flat=True))
    assert kept == [1, 4, 5]
    institution.release(job)
    assert job.state == "complete"
    acts.replace(lookup, actor(institution), content(*NAMES), based_on=5)
    assert sorted(lookup.versions.values_list("number", flat=True)) == [5, 6]


def test_of_two_who_save_at_once_the_second_is_told(institution: Institution) -> None:
    lookup = table(institution)
    acts.set_row(lookup, actor(institution), ("w", "West", ""), based_on=1)
    with pytest.raises(Refused, match=r"Version 2 was saved by .* in the meantime"):
        acts.replace(lookup, actor(institution), content(("x", "Y", "")), based_on=1)
    assert lookup.current is not None
    assert lookup.current.row_count == 3


def test_a_row_is_added_changed_and_removed(institution: Institution) -> None:
    lookup, who = table(institution, fold=True), actor(institution)
    acts.set_row(lookup, who, ("s", "Sud", ""), based_on=1)
    acts.set_row(lookup, who, ("w", "West", ""), based_on=2)
    acts.remove_row(lookup, who, "N", based_on=3)
    assert lookup.current is not None
    assert lookup.current.rows == [["s", "Sud", ""], ["w", "West", ""]]
    with pytest.raises(Refused, match="is blank"):
        acts.set_row(lookup, who, ("", "West", ""), based_on=4)
    with pytest.raises(Refused, match="Nothing was changed"):
        acts.set_row(lookup, who, ("w", "West", ""), based_on=4)
    with pytest.raises(Refused, match="no key “q”"):
        acts.remove_row(lookup, who, "q", based_on=4)
    actions = AuditEntry.objects.filter(tenant=institution.tenant).values_list("action", flat=True)
    assert list(actions.order_by("id")) == ["lookup.create", *["lookup.version"] * 3]


def test_a_table_that_a_template_uses_is_not_deleted(institution: Institution) -> None:
    lookup = table(institution)
    people = template(institution)
    with pytest.raises(Refused, match="It is used by “People”"):
        acts.delete(lookup, actor(institution))
    template_actions.delete(people, actor(institution))
    acts.delete(lookup, actor(institution))
    assert not LookupTable.objects.filter(tenant=institution.tenant).exists()


def test_a_table_that_a_held_job_goes_on_with_is_not_deleted(institution: Institution) -> None:
    lookup = table(institution)
    job = institution.send("accounts", FILE, spec=spec(), limits={"creates": 1})
    with pytest.raises(Refused, match="One import that runs or waits uses it"):
        acts.delete(lookup, actor(institution))
    institution.release(job)
    acts.delete(lookup, actor(institution))


def test_no_template_is_left_without_the_column_that_it_takes(institution: Institution) -> None:
    lookup = table(institution)
    template(institution, column="short")
    narrow = Table(columns=("code", "name"), rows=(("n", "North"),))
    with pytest.raises(Refused, match='“People”: "LastName" needs the column "short"'):
        acts.replace(lookup, actor(institution), narrow, based_on=1)


def test_a_template_is_not_saved_without_its_table(institution: Institution) -> None:
    with pytest.raises(Refused, match='needs the look-up table "Schools", which does not exist'):
        template(institution)
    lookup = table(institution)
    people = template(institution)
    plain = {**spec(), "fields": {**spec()["fields"], "LastName": {"columns": ["Code"]}}}
    template_actions.save(people, actor(institution), parse(plain), based_on=1)
    acts.delete(lookup, actor(institution))
    with pytest.raises(Refused, match='needs the look-up table "Schools"'):
        template_actions.roll_back(people, actor(institution), 1, based_on=2)


def test_a_job_whose_table_is_gone_is_told_so(institution: Institution) -> None:
    job = institution.send("accounts", FILE, spec=spec())
    assert (job.state, job.fault) == ("failed", "sender")
    assert 'needs the look-up table "Schools", which does not exist' in job.reason


def test_a_template_in_yaml_names_its_table(institution: Institution) -> None:
    table(institution)
    people = template(institution, column="short", other="default", default="?")
    assert people.current is not None
    text = template_actions.as_yaml(people.current)
    assert "table: Schools" in text
    template_actions.delete(people, actor(institution))
    back = template_actions.from_yaml(institution.tenant, actor(institution), text)
    assert back.current is not None
    assert back.current.spec == people.current.spec


def test_names_are_one_line_and_there_once(institution: Institution) -> None:
    table(institution)
    who = actor(institution)
    for name in ("", " x", "a\tb", "x" * 201):
        with pytest.raises(Refused, match="expected 1 to 200 characters on one line"):
            acts.create(institution.tenant, who, name, content(*NAMES))
    with pytest.raises(Refused, match="already a look-up table named “Schools”"):
        acts.create(institution.tenant, who, "Schools", content(*NAMES))


def test_another_tenants_table_is_no_table_of_ours(institution: Institution) -> None:
    with tenancy.everyone("a test has a neighbour"):
        neighbour = Tenant.objects.create(name="Neighbour", slug="neighbour-of-lookups")
        theirs = LookupTable.objects.create(tenant=neighbour, name="Schools")
        theirs.current = LookupVersion.objects.create(
            tenant=neighbour, table=theirs, number=1, columns=["code", "name"], row_count=1,
            rows=[["n", "theirs"]],
        )  # fmt: skip
        theirs.save()
    try:
        with pytest.raises(Refused, match="which does not exist"):
            template(institution)
        table(institution)
        send(institution, template(institution))
        assert names(institution) == ["North", "South"]
    finally:
        with tenancy.everyone("the neighbour moves out"):
            theirs.delete()
            with connection.cursor() as cursor:  # nothing else of it is anywhere
                cursor.execute("DELETE FROM portal_tenant WHERE id = %s", [neighbour.pk])
