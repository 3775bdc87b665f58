"""What is refused when the wizard saves: where the page says it, and what stays as it was."""

from __future__ import annotations

import html
import re

import pytest

from imports.models import ImportDraft, ImportTemplate
from imports.templates import actions
from portal.changes import Actor
from portal.models import User
from tests.imports.conftest import institution as institution
from tests.imports.institution import PERSON
from tests.imports.web.test_wizard import PEOPLE, Admin, words
from tests.imports.web.test_wizard import admin as admin

FORM = {"name": "People", "file_names": "people.csv", "account": ""}


def template() -> ImportTemplate:
    return ImportTemplate.objects.get(name="People")


def numbers() -> list[int]:
    return list(template().versions.order_by("number").values_list("number", flat=True))


def based_on(page: str) -> str:
    (number,) = re.findall(r'name="based_on" value="(\d+)"', page)
    return str(number)


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
