"""The pages of import templates: list, one template, versions, YAML, replay."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from imports.mapping.parsing import parse
from imports.models import ImportJob, ImportTemplate
from imports.templates import actions as acts
from imports.templates.rules import TemplateIdentity
from portal import bell, tenancy
from portal.changes import ChangedMeanwhile
from portal.faults import Refused
from portal.models import Account, Drop, Endpoint
from tests.imports.institution import counts
from tests.imports.web.desk import FILE, SPEC, Desk, file

HOSTILE = '<script>x</script>"><img src=x>'


def upper() -> dict[str, Any]:
    fields = {**SPEC["fields"], "LastName": {"columns": ["Nachname"], "steps": [{"case": "upper"}]}}
    return {"fields": fields}


def test_without_a_template_it_says_what_one_is_for(desk: Desk) -> None:
    assert "No templates yet" in desk.get("templates")


def test_it_lists_templates_with_their_files_and_last_use(desk: Desk) -> None:
    template = desk.template()
    desk.template(HOSTILE)
    text = desk.get("templates")
    assert "people.csv" in text
    assert "<script>x" not in text
    assert "<time" not in text
    desk.send(template)
    assert "<time" in desk.get("templates")
    page = desk.get("templates", name="peop")
    assert "People" in page
    assert "No templates match this filter" in desk.get("templates", name="zzz")


def test_the_page_says_the_mapping_and_the_settings_in_words(desk: Desk) -> None:
    template = desk.template(
        settings={"operation": "mirror", "limits": {"removes": "5%"}}, **upper()
    )
    text = desk.get("template", template.uid)
    assert "&quot;Nachname&quot;; upper case" in text
    assert "removes 5%" in text
    assert "mirror" in text


def test_two_versions_are_compared(desk: Desk) -> None:
    template = desk.template()
    desk.version(template, **upper())
    desk.version(template)
    text = desk.get("template", template.uid)
    assert "Field &quot;LastName&quot;" in text
    assert "Nothing: the two versions are the same." in desk.get(
        "template", template.uid, older=1, newer=3
    )
    assert desk.get("template", template.uid, older="x", newer="99999999999")


def test_going_back_makes_a_new_version_with_the_old_mapping(desk: Desk) -> None:
    template = desk.template()
    desk.version(template, **upper())
    text = desk.post("template-rollback", template.uid, number=1, based_on=2)
    assert "The mapping of version 1 is in use again." in text
    template.refresh_from_db()
    assert (template.current.number, template.current.note) == (3, "Back to version 1.")
    assert template.current.spec == template.versions.get(number=1).spec
    assert "template.rollback" in desk.trail()


@pytest.mark.parametrize("number", ["3", "99", "", "x", "-1", "9" * 30])
def test_going_back_to_what_is_no_older_version_is_refused(desk: Desk, number: str) -> None:
    template = desk.template()
    text = desk.post("template-rollback", template.uid, number=number, based_on=1, status=422)
    assert "There is no version" in text
    assert template.versions.count() == 1


def test_the_second_of_two_who_save_at_once_is_told_and_nothing_is_lost(desk: Desk) -> None:
    template = desk.template()
    other = ImportTemplate.objects.get(pk=template.pk)
    desk.version(template, **upper())
    with pytest.raises(ChangedMeanwhile, match="Version 2 was saved by decider@"):
        acts.save(other, desk.actor, parse(SPEC), based_on=1)
    with pytest.raises(ChangedMeanwhile) as changed:
        acts.save(other, desk.actor, parse({**SPEC, "reading": {"skip_rows": 3}}), based_on=1)
    assert changed.value.number == 2
    assert set(changed.value.differs) == {"Lines skipped at the top", 'Field "LastName"'}
    assert template.versions.count() == 2
    text = desk.post("template-rollback", template.uid, number=1, based_on=1, status=409)
    assert "was saved by" in text


def test_of_many_who_save_at_the_same_moment_one_wins(desk: Desk) -> None:
    template = desk.template()
    won: list[int] = []
    refused: list[str] = []
    start = threading.Barrier(4)

    def save() -> None:
        with tenancy.scope(desk.institution.tenant.pk):
            start.wait()
            try:
                mine = ImportTemplate.objects.get(pk=template.pk)
                won.append(acts.save(mine, desk.actor, parse(SPEC), based_on=1).number)
            except ChangedMeanwhile as meanwhile:
                refused.append(str(meanwhile))
        connection.close()

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (won, len(refused)) == ([2], 3)
    assert sorted(template.versions.values_list("number", flat=True)) == [1, 2]


def test_a_template_leaves_and_comes_back_as_yaml(desk: Desk) -> None:
    template = desk.template(**upper())
    answer = desk.client.get(reverse("template-yaml", args=[template.uid, 1]))
    assert answer["Content-Disposition"].startswith("attachment")
    text = answer.content.decode()
    assert "There is a template named" in desk.post(
        "template-upload", file=file("t.yaml", text), status=422
    )
    other = text.replace("name: People", "name: Others", 1)
    assert "Template created." in desk.post("template-upload", file=file("t.yaml", other))
    again = ImportTemplate.objects.get(name="Others")
    assert again.current.spec == template.current.spec
    assert again.file_names == ["people.csv"]
    assert again.account is None


def test_an_upload_names_every_fault(desk: Desk) -> None:
    bad = (
        "name: X\nfeed: accounts\nspec:\n  version: 7\n  colums: []\n  fields: {A: {columns: 3}}\n"
    )
    text = desk.post("template-upload", file=file("t.yaml", bad), status=422)
    assert "colums" in text
    assert "spec" in text or "version" in text
    assert "Nothing was changed because of these" in text
    assert not ImportTemplate.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "found bytes that are not text at byte 1"),
        (b"", "submitted file is empty"),
        (b"a: &x 1\nb: *x\n", "anchor or alias"),
        (b"x" * (300 << 10), "expected at most"),
        (b"name: A\nfeed: nonsense\nspec: {version: 1, columns: [], fields: {}}\n", "nonsense"),
    ],
)
def test_what_is_no_template_is_refused_in_words(desk: Desk, content: bytes, words: str) -> None:
    assert words in desk.post("template-upload", file=file("t.yaml", content), status=422)
    assert not ImportTemplate.objects.exists()


def test_no_file_at_all_is_told(desk: Desk) -> None:
    assert "This field is required" in desk.post("template-upload", status=422)


def test_a_new_version_is_uploaded_as_yaml(desk: Desk) -> None:
    template = desk.template()
    text = acts.as_yaml(template.current).replace("- Vorname", "- Rufname")
    desk.post("template-version", template.uid, file=file("t.yaml", text), based_on=1)
    template.refresh_from_db()
    assert template.current.number == 2
    assert template.current.spec["fields"]["FirstName"]["columns"] == ["Rufname"]
    stale = desk.post(
        "template-version", template.uid, file=file("t.yaml", text), based_on=1, status=409
    )
    assert "Version 2 was saved" in stale
    foreign = text.replace("feed: accounts", "feed: courses")
    assert "as this template has" in desk.post(
        "template-version", template.uid, file=file("t.yaml", foreign), based_on=2, status=422
    )


def test_a_copy_has_the_mapping_and_no_file_names(desk: Desk) -> None:
    template = desk.template(**upper())
    assert "This is the copy" in desk.post("template-clone", template.uid, name="Copy")
    copy = ImportTemplate.objects.get(name="Copy")
    assert (copy.current.spec, copy.file_names) == (template.current.spec, [])
    assert copy.current.note == "Copy of People, version 1."
    assert "already" in desk.post("template-clone", template.uid, name="Copy", status=422)


def account(desk: Desk) -> Account:
    tenant = desk.institution.tenant
    endpoint = Endpoint.objects.create(tenant=tenant, name="Test")
    Drop.objects.create(tenant=tenant, endpoint=endpoint, path="sis", protocol="template")
    return Account.objects.create(
        tenant=tenant, endpoint=endpoint, username="test-college-sis", home="sis"
    )


def test_one_file_of_an_account_is_imported_by_one_template(desk: Desk) -> None:
    mine, other = account(desk), desk.template("Others")
    template = desk.template()
    face = {"name": "People", "account": mine.pk, "file_names": " people.csv \r\n\r\nPeople.csv"}
    assert "Saved." in desk.post("template-change", template.uid, **face)
    template.refresh_from_db()
    assert (template.file_names, template.account) == (["people.csv", "People.csv"], mine)
    clash = {"name": "Others", "account": mine.pk, "file_names": "people.csv"}
    text = desk.post("template-change", other.uid, status=422, **clash)
    assert "The template “People” already imports people.csv from this account." in text
    desk.post("template-enabled", template.uid, to="disabled")
    desk.post("template-change", other.uid, **clash)
    assert "already" in desk.post("template-enabled", template.uid, to="enabled", status=422)


@pytest.mark.parametrize("name", ["a/b.csv", "..\\x", "x" * 256])
def test_a_name_no_file_can_come_under_is_refused(desk: Desk, name: str) -> None:
    template = desk.template()
    text = desk.post("template-change", template.uid, name="P", file_names=name, status=422)
    assert "is not a valid file name" in text
    template.refresh_from_db()
    assert template.file_names == ["people.csv"]


def test_a_template_that_files_ran_with_is_not_deleted(desk: Desk) -> None:
    template, unused = desk.template(), desk.template("Unused")
    job = desk.send(template)
    text = desk.post("template-delete", template.uid, status=422)
    assert "One file was processed with this template" in text
    assert "was deleted" in desk.post("template-delete", unused.uid)
    assert list(ImportTemplate.objects.values_list("name", flat=True)) == ["People"]
    assert "People" in desk.get("job", job.uid)


def test_a_template_cannot_be_deleted_while_its_job_waits(desk: Desk) -> None:
    template = desk.template()
    desk.institution.job("accounts", FILE, template_version=template.current)
    with pytest.raises(Refused):
        acts.delete(template, desk.actor)
    (done,) = desk.institution.work()
    done.refresh_from_db()
    assert done.state == "complete"


def test_a_past_file_is_tried_with_any_version(desk: Desk) -> None:
    template = desk.template()
    past = desk.send(template)
    desk.version(template, **upper())
    text = desk.get("template", template.uid)
    assert f'value="{past.uid}"' in text
    desk.post("template-replay", template.uid, file=past.uid, version=2)
    desk.institution.work()
    tried = desk.newest()
    assert (tried.state, counts(tried)) == ("planned", {"read": 2, "updated": 2})
    page = desk.get("job", tried.uid)
    assert "Would be updated" in page
    assert "LOVELACE" in page
    assert "version 2" in page
    assert desk.institution.records("accounts")["7"]["LastName"] == "Lovelace"
    assert "Dry run" in desk.get("template", template.uid)


def test_a_file_that_is_not_kept_or_not_ours_cannot_be_tried(desk: Desk) -> None:
    template = desk.template()
    past = desk.send(template)
    ImportJob.objects.filter(pk=past.pk).update(content="")
    text = desk.post("template-replay", template.uid, file=past.uid, version=1, status=422)
    assert "Select a valid choice" in text or "No files of this type" in text
    assert ImportJob.objects.count() == 1


def test_every_act_is_in_the_trail(desk: Desk) -> None:
    template = desk.template()
    desk.post("template-enabled", template.uid, to="disabled")
    desk.post("template-enabled", template.uid, to="enabled")
    desk.get("template", template.uid)
    desk.client.get(reverse("template-yaml", args=[template.uid, 1]))
    desk.post("template-delete", template.uid)
    assert desk.trail() == [
        "template.create", "template.disable", "template.enable", "template.download",
        "template.delete",
    ]  # fmt: skip


def test_a_version_that_cannot_be_read_any_more_is_shown_with_its_faults(desk: Desk) -> None:
    template = desk.template()
    template.versions.update(spec={"version": 9})
    text = desk.get("template", template.uid)
    assert "cannot be used" in text
    answer = desk.client.get(reverse("template-yaml", args=[template.uid, 1]))
    assert answer.status_code == 422


def test_whatever_lets_waiting_files_be_imported_rings_the_collector(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda task, _tenant: rung.append(task))
    template = desk.template()
    acts.set_enabled(template, desk.actor, enabled=False)
    acts.set_enabled(template, desk.actor, enabled=True)
    acts.change(template, desk.actor, TemplateIdentity(name="People", file_names=("other.csv",)))
    assert rung == [bell.POLL] * 4
