"""A file that matches no template, from its page through the wizard to its import."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.urls import reverse

from imports.models import Arrival, ArrivalFile, ImportDraft, ImportJob, ImportTemplate
from portal import bell
from tests.imports.collect.test_template_files import Desk as Home
from tests.imports.conftest import institution as institution
from tests.imports.institution import CAMPUS, Institution
from tests.imports.web.test_wizard import Admin, words
from tests.imports.web.test_wizard import admin as admin

OTHER = (
    "TermIdentifier,Name,BeginDate,EndDate,ParentIdentifier,Type\n"
    "2026,Year 2026,2026-01-01,2026-12-31,,Annual\n"
)


@pytest.fixture
def home(institution: Institution, settings: LazySettings) -> Home:
    return Home(institution, settings)


def arrived(home: Home, name: str, content: str = CAMPUS["accounts"]) -> Arrival:
    home.put(name, content)
    home.round()
    return Arrival.objects.get(name=name)


def page(admin: Admin, arrival: Arrival) -> str:
    return admin.client.get(reverse("arrival", args=[arrival.uid])).content.decode()


def click(admin: Admin, address: str, uid: Any) -> str:
    """One click on the button; the address that it leads to."""
    answer = admin.client.post(reverse(address, args=[uid]))
    assert answer.status_code == 302
    if "/imports/new/" in answer.headers["Location"]:
        admin.uid = re.findall(r"[0-9a-f-]{36}", answer.headers["Location"])[0]
    return str(answer.headers["Location"])


def test_one_click_leads_from_an_unmatched_file_to_its_import(
    admin: Admin, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival = arrived(home, "staff.csv")
    assert "Create a template from this file" in page(admin, arrival)
    assert click(admin, "arrival-template", arrival.uid).endswith("/choose/")
    draft = admin.draft()
    assert (draft.feed, draft.file_name) == ("accounts", "staff.csv")
    assert "Ada" in admin.page("draft-file")
    finish = admin.page("draft-finish")
    assert f'<option value="{home.account.pk}" selected>' in finish
    assert "staff.csv</textarea>" in finish
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(bell, "ring", lambda task, tenant: rung.append((task, tenant)))
    form = {"name": "Staff", "file_names": "staff.csv", "account": str(home.account.pk)}
    admin.send("draft-finish", **form, unvalidated="1")
    assert (bell.POLL, home.institution.tenant.pk) in rung
    monkeypatch.undo()
    home.import_all()
    job = ImportJob.objects.get(dry_run=False)
    assert (job.state, job.file_name) == ("complete", "staff.csv")
    assert job.template_version == ImportTemplate.objects.get().current
    assert set(home.institution.records("accounts")) == {"0001", "0002", "0003"}
    arrival.refresh_from_db()
    assert arrival.state != Arrival.State.UNMATCHED


def test_the_page_shows_the_near_misses_of_the_present_name(admin: Admin, home: Home) -> None:
    home.template("Staff.csv")
    text = words(page(admin, arrived(home, "staff.csv")))
    assert "Similar names Staff.csv" in text


def test_the_columns_say_what_the_file_is_likely_for(admin: Admin, home: Home) -> None:
    click(admin, "arrival-template", arrived(home, "dates-2026.csv", OTHER).uid)
    draft = admin.draft()
    assert draft.feed == "academic_terms"
    assert draft.spec["fields"]["TermIdentifier"] == {"columns": ["TermIdentifier"]}


def test_a_second_click_goes_on_with_the_same_draft(admin: Admin, home: Home) -> None:
    arrival = arrived(home, "staff.csv")
    first = click(admin, "arrival-template", arrival.uid)
    assert click(admin, "arrival-template", arrival.uid) == first
    assert ImportDraft.objects.count() == 1


def test_the_draft_keeps_its_file_when_the_collector_drops_its_copy(
    admin: Admin, home: Home
) -> None:
    arrival = arrived(home, "staff.csv")
    click(admin, "arrival-template", arrival.uid)
    default_storage.delete(ArrivalFile.objects.get(arrival=arrival).content)
    assert "Ada" in admin.page("draft-file")


def test_a_file_that_is_no_table_is_refused_in_words_and_leaves_no_draft(
    admin: Admin, home: Home
) -> None:
    arrival = arrived(home, "staff.csv", "PK\x03\x04" + "\0" * 60)
    assert click(admin, "arrival-template", arrival.uid).endswith(f"/{arrival.uid}/")
    assert "archive" in words(page(admin, arrival))
    assert not ImportDraft.objects.exists()


def test_a_copy_that_is_gone_is_told(admin: Admin, home: Home) -> None:
    arrival = arrived(home, "staff.csv")
    ArrivalFile.objects.filter(arrival=arrival).update(content="")
    text = page(admin, arrival)
    assert "no longer kept" in text
    assert "Create a template from this file" not in text
    assert click(admin, "arrival-template", arrival.uid).endswith(f"/{arrival.uid}/")


def test_the_file_of_a_job_that_has_ended_opens_in_the_wizard(admin: Admin) -> None:
    job = admin.institution.send("accounts", CAMPUS["accounts"], file_name="people.csv")
    shown = admin.client.get(reverse("job", args=[job.uid])).content.decode()
    assert reverse("job-template", args=[job.uid]) in shown
    click(admin, "job-template", job.uid)
    assert (admin.draft().feed, admin.draft().file_name) == ("accounts", "people.csv")


def test_the_page_of_a_template_delivery_speaks_of_one_file_in_words(
    admin: Admin, home: Home
) -> None:
    text = words(page(admin, arrived(home, "staff.csv")))
    assert "Files it names" not in text
    assert "staff.csv Not imported" in text
    assert " unmatched " not in text


def test_a_file_that_no_template_names_can_be_taken_in_the_wizard(admin: Admin, home: Home) -> None:
    arrival = arrived(home, "staff.csv")
    admin.begin()
    assert re.search(f'<option value="{arrival.uid}">\\s*staff.csv', admin.page("draft-file"))
    admin.send("draft-pick", job=str(arrival.uid))
    draft = admin.draft()
    assert (draft.file_name, draft.content != "") == ("staff.csv", True)
    assert draft.content != ArrivalFile.objects.get(arrival=arrival).content
    assert "Ada" in admin.page("draft-file")


def test_the_wizard_does_not_take_a_name_that_another_template_of_the_account_has(
    admin: Admin, home: Home
) -> None:
    home.template("staff.csv")
    click(admin, "arrival-template", arrived(home, "people.csv").uid)
    fields = {"name": "Mine", "file_names": "people.csv\nstaff.csv", "unvalidated": "1"}
    text = admin.send("draft-finish", status=422, account=str(home.account.pk), **fields)
    assert "already imports staff.csv from this account." in words(text)
    assert ImportTemplate.objects.count() == 1
    admin.send("draft-finish", account="", **fields)
    assert ImportTemplate.objects.count() == 2
