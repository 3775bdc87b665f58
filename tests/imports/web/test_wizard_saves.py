"""What is refused when the wizard saves: where the page says it, and what stays as it was."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from django.conf import LazySettings

from imports.models import ImportDraft, ImportTemplate
from imports.templates import actions
from imports.templates.rules import TemplateIdentity
from portal import provision
from portal.changes import Actor
from portal.models import Account, Endpoint, User
from tests.imports.conftest import institution as institution
from tests.imports.institution import PERSON
from tests.imports.web.test_wizard import PEOPLE, Admin, words
from tests.imports.web.test_wizard import admin as admin

FORM = {"name": "People", "file_names": "people.csv", "account": "", "unvalidated": "1"}


def template() -> ImportTemplate:
    return ImportTemplate.objects.get(name="People")


def numbers() -> list[int]:
    return list(template().versions.order_by("number").values_list("number", flat=True))


def based_on(page: str) -> str:
    (number,) = re.findall(r'name="based_on" value="(\d+)"', page)
    return str(number)


def identity_seen(page: str) -> str:
    (digest,) = re.findall(r'name="identity_seen" value="(\w*)"', page)
    return str(digest)


def error_at(page: str, field: str) -> str:
    """The text of the error at a form's field; empty where there is none."""
    errors = re.findall(rf'<[^>]* id="id_{field}_error".*?</p>', page, re.S)
    return words(html.unescape(" ".join(errors)))


@pytest.fixture
def saved(admin: Admin) -> Admin:
    """The admin has saved a draft as version 1 of a template."""
    admin.begin()
    admin.upload(PEOPLE)
    admin.send("draft-finish", **FORM, based_on=based_on(admin.page("draft-finish")))
    return admin


def bob_saves() -> None:
    """Somebody else saves another version, with the first name from another column."""
    spec = actions.as_yaml(template().versions.get(number=1))
    bob = Actor(User.objects.get(email=PERSON))
    other = spec.replace("Given name", "Vorname")
    actions.save_yaml(template(), bob, other, based_on=actions.current_number(template()))


def test_a_second_save_follows_the_first_as_the_page_shows_it(saved: Admin) -> None:
    saved.send("draft-finish", **FORM, based_on=based_on(saved.page("draft-finish")))
    saved.send("draft-finish", **FORM, based_on=based_on(saved.page("draft-finish")))
    assert numbers() == [1, 2, 3]
    assert saved.draft().template_version == 3


def test_a_version_that_somebody_else_saved_meanwhile_is_not_replaced(saved: Admin) -> None:
    shown = based_on(saved.page("draft-finish"))
    bob_saves()
    page = saved.send("draft-finish", status=409, **FORM, based_on=shown)
    assert f"Version 2 was saved by {PERSON} in the meantime" in words(page)
    assert "Your version differs in: Columns of the sample, Field &quot;FirstName&quot;." in words(
        page
    )
    assert numbers() == [1, 2]
    assert template().current.spec["fields"]["FirstName"] == {"columns": ["Vorname"]}
    assert saved.draft().template_version == 1


def test_the_one_who_was_told_may_save_after_that(saved: Admin) -> None:
    bob_saves()
    page = saved.send("draft-finish", status=409, **FORM, based_on="1")
    assert based_on(page) == "2"
    saved.send("draft-finish", **FORM, based_on=based_on(page))
    assert numbers() == [1, 2, 3]
    assert template().current.spec["fields"]["FirstName"] == {"columns": ["Given name"]}


def test_a_new_name_is_not_kept_where_the_version_is_refused(saved: Admin) -> None:
    bob_saves()
    saved.send("draft-finish", status=409, **{**FORM, "name": "Humans"}, based_on="1")
    assert list(ImportTemplate.objects.values_list("name", flat=True)) == ["People"]


def test_a_draft_of_an_older_portal_is_compared_with_what_the_wizard_saved_last(
    saved: Admin,
) -> None:
    ImportDraft.objects.filter(uid=saved.uid).update(template_version=0)
    assert based_on(saved.page("draft-finish")) == "1"
    bob_saves()
    assert based_on(saved.page("draft-finish")) == "1"
    saved.send("draft-finish", status=409, **FORM, based_on="1")
    assert numbers() == [1, 2]


def test_a_page_that_says_no_version_is_asked(saved: Admin) -> None:
    assert "Version 1 was saved" in words(saved.send("draft-finish", status=409, **FORM))
    assert numbers() == [1]


def test_a_name_that_is_taken_is_said_at_the_name(saved: Admin) -> None:
    saved.begin()
    saved.upload(PEOPLE)
    page = saved.send("draft-finish", status=422, **FORM)
    assert "There is a template named “People” already" in error_at(page, "name")
    assert error_at(page, "file_names") == ""


def test_a_stale_page_does_not_rename_a_template_that_was_renamed_meanwhile(saved: Admin) -> None:
    page = saved.page("draft-finish")
    shown = {"based_on": based_on(page), "identity_seen": identity_seen(page)}
    renamed = TemplateIdentity(name="Humans", file_names=("humans.csv",))
    actions.change(template(), Actor(User.objects.get(email=PERSON)), renamed)
    page = saved.send("draft-finish", status=409, **FORM, **shown)
    assert "changed meanwhile: it is “Humans” now" in html.unescape(words(page))
    row = ImportTemplate.objects.get()
    assert (row.name, row.file_names, row.versions.count()) == ("Humans", ["humans.csv"], 1)
    again = {"based_on": based_on(page), "identity_seen": identity_seen(page)}
    saved.send("draft-finish", **FORM, **again)
    assert ImportTemplate.objects.get().name == "People"


def test_a_name_that_only_this_person_changes_is_kept(saved: Admin) -> None:
    page = saved.page("draft-finish")
    shown = {"based_on": based_on(page), "identity_seen": identity_seen(page)}
    saved.send("draft-finish", **{**FORM, "name": "Humans"}, **shown)
    assert ImportTemplate.objects.get().name == "Humans"


def asked(admin: Admin, **form: str) -> str:
    """What the page answers to a template that is saved without a word about its validation."""
    plain = {name: value for name, value in FORM.items() if name != "unvalidated"}
    return words(admin.send("draft-finish", status=422, **plain, **form))


def test_a_template_that_was_never_validated_asks_first(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    assert "The file was not validated as it is mapped now." in asked(admin)
    assert not ImportTemplate.objects.exists()
    admin.send("draft-finish", **FORM)
    assert template().versions.count() == 1


def test_a_template_of_which_no_row_is_valid_asks_first(admin: Admin) -> None:
    admin.begin()
    admin.upload("PersonIdentifier,FirstName,LastName,Email\n1,Ada,M,none\n2,Ben,O,none\n")
    admin.send("draft-map", then="check")
    admin.work()
    assert "no row of the file can be imported" in asked(admin)
    assert not ImportTemplate.objects.exists()


def test_a_template_that_was_validated_is_saved_at_once(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    admin.send("draft-map", then="check")
    admin.work()
    plain = {name: value for name, value in FORM.items() if name != "unvalidated"}
    admin.send("draft-finish", **plain)
    assert template().versions.count() == 1


def test_save_and_validate_validates(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    assert admin.send("draft-map", then="check").endswith("/validate/")
    job = admin.draft().dry_run
    assert job is not None
    assert job.dry_run
    admin.work()
    job.refresh_from_db()
    assert (job.state, job.rows_rejected) == ("planned", 1)


def test_save_and_validate_shows_what_keeps_it_from_that(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    number = admin.number("LastName")
    address = admin.send("draft-map", **{f"column-{number}": "", "then": "check"})
    assert address.endswith("/map/")
    assert admin.draft().dry_run is None
    assert "LastName" in words(admin.page("draft-map"))


def test_only_accounts_whose_files_templates_import_can_be_chosen(
    admin: Admin, settings: LazySettings, tmp_path: Path
) -> None:
    settings.DROPS_DIR = tmp_path / "drops"
    tenant = admin.institution.tenant
    endpoint = Endpoint.objects.create(tenant=tenant, name="Test")
    manifests = Account.objects.create(tenant=tenant, endpoint=endpoint, username="riverbend")
    sender = provision.template_account(endpoint, "pat", "test", "tx", "secret")
    admin.begin()
    admin.upload(PEOPLE)
    page = admin.page("draft-finish")
    assert sender.username in page
    assert "riverbend" not in page
    page = admin.send("draft-finish", status=422, **{**FORM, "account": str(manifests.pk)})
    assert error_at(page, "account")
    admin.send("draft-finish", **{**FORM, "account": str(sender.pk)})
    assert template().account == sender


def test_a_template_keeps_the_account_that_an_older_portal_let_it_have(saved: Admin) -> None:
    tenant = saved.institution.tenant
    endpoint = Endpoint.objects.create(tenant=tenant, name="Test")
    older = Account.objects.create(tenant=tenant, endpoint=endpoint, username="riverbend")
    ImportTemplate.objects.update(account=older)
    page = saved.page("draft-finish")
    shown = {"based_on": based_on(page), "identity_seen": identity_seen(page)}
    saved.send("draft-finish", **{**FORM, "account": str(older.pk)}, **shown)
    assert template().account == older


def test_a_draft_of_an_older_portal_opens_with_what_it_was_told_then(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    draft = admin.draft()
    idea = {"column": 2, "field": "LastName", "confidence": 0.98, "samples": ["LOVELACE"],
            "reason": "A column of this name was mapped so 3 times before."}  # fmt: skip
    sample = {"header": draft.sample["header"], "ideas": [idea]}
    ImportDraft.objects.filter(uid=admin.uid).update(sample=sample)
    number = admin.number("LastName")
    for name in ("draft-choose", "draft-settings", "draft-file", "draft-columns", "draft-finish"):
        admin.page(name)
    admin.page("draft-field", number)
    assert "mapped so 3 times before" in words(admin.page("draft-map"))
    admin.send("draft-map", then="check")
    admin.work()
    assert admin.draft().dry_run.state == "planned"


def test_a_file_of_another_kind_is_named_beside_the_choice(admin: Admin) -> None:
    admin.begin("courses")
    admin.upload(PEOPLE)
    for page in (admin.page("draft-map"), admin.page("draft-choose")):
        assert "the file looks like something else than what is chosen: Accounts" in words(page)
    admin.send("draft-choose", feed="accounts")
    assert "something else" not in words(admin.page("draft-choose"))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"limit_rejects": "ten"}, "limit_rejects"),
        ({"per_creates": "ten", "limits_field": "LastName"}, "per_creates"),
    ],
)
def test_a_limit_that_is_none_is_said_at_its_field(
    admin: Admin, sent: dict[str, str], field: str
) -> None:
    admin.begin()
    usual = {"unknown_columns": "warn", "missing_columns": "suggest"}
    page = admin.send("draft-settings", status=422, **usual, **sent)
    expected = 'found "ten", expected a number of rows or a percentage such as "10%"'
    assert expected in error_at(page, field)
