"""The whole wizard through its pages, with the real engine in between."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
import xlsxwriter
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from imports.drafts import counting
from imports.models import ImportDraft, ImportJob, ImportTemplate, LearnedMapping
from portal import provision, tenancy
from portal.models import AuditEntry, Role
from tests.imports.conftest import institution as institution
from tests.imports.institution import PERSON, Institution

PEOPLE = (
    "Person ID;Given name;Surname;E-mail;Shoe size\r\n"
    "0001;Ada;LOVELACE;ada@example.edu;38\r\n"
    "0002;Emmy;NOETHER;emmy@example.edu;39\r\n"
    "0003;Alan;TURING;not an address;44\r\n"
)


class Admin:
    """An admin at the wizard: follows its pages with their hidden versions."""

    def __init__(self, institution: Institution) -> None:
        self.institution = institution
        self.client = Client()
        self.uid = ""

    def page(self, name: str, /, *more: Any, **query: str) -> str:
        answer = self.client.get(reverse(name, args=[self.uid, *more]), query)
        assert answer.status_code == 200, answer.status_code
        return answer.content.decode()

    def send(self, name: str, /, *more: Any, status: int = 302, **data: Any) -> str:
        sent = {"version": self.draft().version, **data}
        answer = self.client.post(reverse(name, args=[self.uid, *more]), sent)
        assert answer.status_code == status, (answer.status_code, words(answer.content.decode()))
        return answer.headers.get("Location", "") or answer.content.decode()

    def begin(self, feed: str = "accounts") -> None:
        answer = self.client.post(reverse("import-new"), {"feed": feed})
        self.uid = re.findall(r"[0-9a-f-]{36}", answer.headers["Location"])[0]

    def upload(self, content: str | bytes, name: str = "people.csv", status: int = 302) -> str:
        data = content.encode() if isinstance(content, str) else content
        return self.send("draft-upload", status=status, file=SimpleUploadedFile(name, data))

    def draft(self) -> ImportDraft:
        return ImportDraft.objects.get(uid=self.uid)

    def number(self, field: str) -> int:
        select = re.search(r'id="column-(\d+)"[^>]*>(?:(?!map-row).)*?', self.page("draft-map"))
        assert select
        names = re.findall(r"<b>([^<]*)</b></label>", self.page("draft-map"))
        return names.index(field)

    def work(self) -> None:
        self.institution.work()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.fixture
def admin(institution: Institution, settings: LazySettings, tmp_path: Any) -> Iterator[Admin]:
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = provision.user(PERSON, "correct horse battery", institution.tenant, Role.ADMIN)
    person = Admin(institution)
    person.client.force_login(user)
    original = person.client.request

    def in_scope(**request: Any) -> Any:
        answer = original(**request)
        tenancy._set_on_open(
            tenancy._here()
        )  # the request has left the scope, the test is still in it
        return answer

    person.client.request = in_scope  # type: ignore[method-assign]
    yield person
    connection.close()  # whatever state the test has left it in
    with tenancy.everyone("the test is over"):
        user.memberships.all().delete()


def test_a_file_goes_from_upload_to_records(admin: Admin) -> None:
    admin.begin()
    assert "Settings" in admin.page("draft-settings")
    admin.send(
        "draft-settings", unknown_columns="warn", missing_columns="suggest", limit_rejects="50"
    )
    admin.upload(PEOPLE)
    shown = admin.page("draft-file")
    assert "LOVELACE" in shown
    assert '<option value=";" selected>' in shown
    mapped = words(admin.page("draft-map"))
    assert "Every required field has a column" in mapped
    assert "1 column has no field" in mapped

    number = admin.number("LastName")
    admin.send("draft-field", number, **{
        "column-0": "2", "step-0-kind": "case", "step-0-to": "title", "do": "done",
    })  # fmt: skip
    assert "Lovelace" in admin.page("draft-field", number)

    admin.send("draft-validate")
    assert "being read and compared" in admin.page("draft-check")
    admin.work()
    plan = words(admin.page("draft-check"))
    assert "3 rows were read. Nothing was written" in plan
    assert "LOVELACE Lovelace" in plan
    assert "Line 4 not an address" in plan
    assert admin.institution.records("accounts") == {}

    place = admin.send("draft-process")
    admin.work()
    assert place.startswith("/jobs/")
    records = admin.institution.records("accounts")
    assert {key: row["LastName"] for key, row in records.items()} == {
        "0001": "Lovelace", "0002": "Noether",
    }  # fmt: skip
    job = ImportJob.objects.get(dry_run=False)
    assert (job.state, job.spec["settings"]["limits"]) == ("incomplete", {"rejects": 50})
    assert AuditEntry.objects.filter(action="import.process").count() == 1
    assert LearnedMapping.objects.get(header="surname").field == "LastName"


def test_a_draft_becomes_a_template_and_then_its_next_version(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    form = {"name": "People", "file_names": "people.csv\nPeople2.CSV", "unvalidated": "1"}
    admin.send("draft-finish", **form)
    admin.send("draft-finish", **form, based_on="1")
    template = ImportTemplate.objects.get()
    assert template.file_names == ["people.csv", "People2.CSV"]
    assert [v.number for v in template.versions.order_by("number")] == [1, 2]
    assert template.current is not None
    assert template.current.spec["fields"]["Email"] == {"columns": ["E-mail"]}
    assert AuditEntry.objects.filter(action="template.save").count() == 2


def test_of_two_admins_who_save_at_once_the_second_is_told_and_loses_nothing(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    old = admin.draft().version
    admin.send("draft-settings", unknown_columns="hold", missing_columns="hold")
    text = admin.send(
        "draft-settings", status=409, version=old, unknown_columns="ignore",
        missing_columns="suggest", keep_days="77",
    )  # fmt: skip
    assert "saved this import while you were working on it" in words(text)
    assert 'value="77"' in text
    assert admin.draft().spec["settings"]["unknown_columns"] == "hold"
    assert f'name="version" value="{admin.draft().version}"' in text
    text = admin.send("draft-map", status=409, version=old, **{"column-0": ""})
    assert "saved this import while you were working on it" in words(text)
    assert "PersonIdentifier" in admin.draft().spec["fields"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "image"),
        (b"PK\x03\x04" + b"\0" * 60, "archive"),
        (b"", "empty"),
        (bytes(range(256)) * 8, "text"),
    ],
    ids=["image", "zip", "empty", "binary"],
)
def test_what_is_no_table_is_refused_in_words(admin: Admin, content: bytes, reason: str) -> None:
    admin.begin()
    text = words(admin.upload(content, status=422))
    assert reason in text.lower()
    assert admin.draft().content == ""


def test_a_file_beyond_the_limit_is_refused_in_words(admin: Admin, settings: LazySettings) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    admin.begin()
    assert "larger than" in words(admin.upload("a,b\n" * 2000, status=422))


def test_two_columns_of_one_name_are_told_apart_by_a_number(admin: Admin) -> None:
    admin.begin()
    admin.upload(
        "PersonIdentifier,Email,FirstName,LastName,email,\n"
        "1,a@b.example,Ada,Lovelace,ada@example.edu,\n"
        "2,c@d.example,Alan,Turing,wrong,\n"
    )
    shown = words(admin.page("draft-file"))
    assert "appears more than once" in shown
    assert "email (2)" in shown
    admin.send("draft-field", admin.number("Email"), **{"column-0": "4", "do": "done"})
    admin.send("draft-validate")
    admin.work()
    admin.send("draft-process")
    admin.work()
    assert admin.institution.records("accounts")["1"]["Email"] == "ada@example.edu"
    job = ImportJob.objects.get(dry_run=False)
    with default_storage.open(job.attachment) as file:
        lines = file.read().decode("utf-8-sig").splitlines()
    assert lines[0].startswith("PersonIdentifier,Email,FirstName,LastName,email,,_line,_column")
    assert ",email (2),not_an_email," in lines[1]


def test_a_header_on_line_7_is_found_and_can_be_moved(admin: Admin) -> None:
    admin.begin()
    admin.upload("Report\nof the\nschool\n\n\n\n" + PEOPLE)
    assert "Every required field has a column" in words(admin.page("draft-map"))
    form = {"encoding": "auto", "delimiter": ";", "quote": '"'}
    moved = admin.client.get(
        reverse("draft-file", args=[admin.uid]),
        {**form, "skip_rows": "0", "header_row": "1"}, headers={"HX-Request": "true"},
    ).content.decode()  # fmt: skip
    assert "<html" not in moved
    assert ">Report<" in moved.replace("<bdi>", "").replace("</bdi>", "")


def test_names_with_markup_stay_text(admin: Admin) -> None:
    admin.begin()
    admin.upload('<script>x</script>,Email\n"<b>1</b>",a@b.example\n', name="<img src=x>.csv")
    for name in ("draft-file", "draft-map", "draft-columns", "draft-finish"):
        text = admin.page(name)
        assert "<script>x" not in text
        assert "<img src=x" not in text


def test_a_column_becomes_a_field_of_ones_own(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    admin.send("draft-columns", column="4", name="ShoeSize", type="integer")
    admin.send("draft-validate")
    admin.work()
    admin.send("draft-process")
    admin.work()
    assert admin.institution.records("accounts")["0001"]["ShoeSize"] == 38


def test_the_values_of_a_map_are_listed_counted_and_guessed(admin: Admin) -> None:
    admin.begin("org_units")
    rows = "".join(f"U{n},Unit {n},{'school' if n % 3 else 'INST'}\n" for n in range(9))
    admin.upload("OrgUnitIdentifier,Name,Type\n" + rows)
    number = admin.number("Type")
    admin.send("draft-field", number, **{"column-0": "2", "do": "add", "kind": "map"})
    text = words(admin.page("draft-field", number))
    assert "school \u00d76" in text
    assert "INST \u00d73" in text
    assert "Counted in all 9 rows" in text
    values = admin.draft().spec["fields"]["Type"]["steps"][0]["map"]
    assert values["values"]["school"] == "School"


def test_a_count_of_values_that_was_ended_for_its_time_says_so(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SECONDS", -1.0)
    admin.begin("org_units")
    rows = "".join(f"U{n},{'Unit' * 50},School\n" for n in range(20_000))
    admin.upload("OrgUnitIdentifier,Name,Type\n" + rows)
    number = admin.number("Type")
    admin.send("draft-field", number, **{"column-0": "2", "do": "add", "kind": "map"})
    text = words(admin.page("draft-field", number))
    assert re.search(r"Counted in the first [\d,]+ rows\. Counting stopped there", text)
    assert "Counted in the first 20,000 rows" not in text


def test_steps_are_added_moved_and_removed_with_buttons(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    number = admin.number("FirstName")
    two = {"column-0": "1", "column-1": "2", "together": "join", "between": "-",
           "step-0-kind": "trim", "step-1-kind": "case", "step-1-to": "upper"}  # fmt: skip
    admin.send("draft-field", number, **two, do="up-1")
    assert admin.draft().spec["fields"]["FirstName"] == {
        "columns": ["Given name", "Surname"],
        "steps": [{"join": "-"}, {"case": "upper"}, {"trim": True}],
    }
    assert "ADA-LOVELACE" in admin.page("draft-field", number)
    admin.send("draft-field", number, **two, do="remove-0")
    assert len(admin.draft().spec["fields"]["FirstName"]["steps"]) == 2
    admin.send("draft-field", number, way="constant", constant="Ada")
    assert admin.draft().spec["fields"]["FirstName"] == {"constant": "Ada"}


def test_a_step_that_cannot_be_is_kept_and_told(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    number = admin.number("FirstName")
    admin.send("draft-field", number, **{
        "column-0": "1", "step-0-kind": "replace", "step-0-find": "(", "step-0-regex": "1",
    })  # fmt: skip
    assert "regular expression" in words(admin.page("draft-field", number))
    assert 'value="("' in admin.page("draft-field", number)
    assert "Before the file can be validated" in words(admin.page("draft-map"))
    assert admin.send("draft-validate").endswith("/map/")


def test_what_was_mapped_once_is_suggested_the_next_time(admin: Admin) -> None:
    odd = PEOPLE.replace("Surname", "Kennwort XY")
    admin.begin()
    admin.upload(odd)
    at = admin.number("LastName")
    assert "LastName" not in admin.draft().spec["fields"]
    admin.send("draft-map", **{f"column-{at}": "2", "then": ""})
    admin.send("draft-finish", name="Odd", file_names="odd.csv", unvalidated="1")
    admin.begin()
    admin.upload(odd)
    assert admin.draft().spec["fields"]["LastName"] == {"columns": ["Kennwort XY"]}
    assert "was mapped this way" in words(admin.page("draft-map"))


def test_the_template_file_of_every_feed_can_be_downloaded(admin: Admin) -> None:
    answer = admin.client.get(reverse("import-sample", args=["accounts"]))
    header, row = answer.content.decode("utf-8-sig").splitlines()
    assert header.startswith("PersonIdentifier,FirstName")
    assert "Lovelace" in row


def test_five_hundred_columns_open_with_few_queries_and_a_small_page(
    admin: Admin, django_assert_max_num_queries: Any
) -> None:
    names = ["PersonIdentifier", "FirstName", "LastName", "Email"]
    names += [f"Extra column {n}" for n in range(496)]
    row = ",".join(["1", "Ada", "Lovelace", "ada@example.edu"] + ["x"] * 496)
    admin.begin()
    admin.upload(",".join(names) + "\n" + (row + "\n") * 500)
    with django_assert_max_num_queries(12):
        text = admin.page("draft-map")
    assert text.count("<option") < 600
    assert "Every required field has a column" in words(text)
    assert "50 of 500" in words(admin.page("draft-columns"))


def test_a_changed_draft_must_be_validated_again(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    admin.send("draft-validate")
    admin.work()
    admin.send("draft-settings", unknown_columns="ignore", missing_columns="suggest")
    assert "changed since it was validated" in words(admin.page("draft-check"))
    assert admin.send("draft-process").endswith("/validate/")
    assert not ImportJob.objects.filter(dry_run=False).exists()


def test_the_store_changed_meanwhile_is_said(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    admin.send("draft-validate")
    admin.work()
    admin.institution.send(
        "accounts",
        "PersonIdentifier,FirstName,LastName,Email\n0001,Ada,Byron,ada@example.edu\n",
    )
    admin.send("draft-process")
    admin.work()
    job = ImportJob.objects.get(dry_run=False, user__email=PERSON)
    assert (job.state, job.hold_reasons[0]["code"]) == ("held", "plan_changed")
    assert "created 1 instead of 2" in job.reason


def test_what_would_be_held_needs_a_yes(admin: Admin) -> None:
    admin.begin()
    admin.send(
        "draft-settings", unknown_columns="warn", missing_columns="suggest", limit_creates="1"
    )
    admin.upload(PEOPLE)
    admin.send("draft-validate")
    admin.work()
    assert "The file would be held for a decision" in words(admin.page("draft-check"))
    admin.send("draft-process")
    admin.work()
    assert ImportJob.objects.get(dry_run=False).state == "held"
    admin.send("draft-process", agreed="1")
    admin.work()
    assert len(admin.institution.records("accounts")) == 2


def test_a_draft_is_listed_until_it_is_discarded(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE, name="my people.csv")
    assert "my people.csv" in admin.client.get(reverse("import-new")).content.decode()
    admin.client.post(reverse("draft-discard", args=[admin.uid]))
    assert not ImportDraft.objects.exists()


def test_a_file_that_came_before_can_be_taken(admin: Admin) -> None:
    job = admin.institution.send(
        "accounts", "PersonIdentifier,FirstName,LastName,Email\n0001,Ada,Byron,ada@example.edu\n"
    )
    admin.begin()
    admin.send("draft-pick", job=str(job.uid))
    assert "Byron" in admin.page("draft-file")


def test_a_sheet_of_a_workbook_is_chosen_and_imported(admin: Admin) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        book.add_worksheet("Notes").write_row(0, 0, ["Notes of nobody"])
        sheet = book.add_worksheet("People")
        sheet.write_row(0, 0, ["PersonIdentifier", "FirstName", "LastName", "Email"])
        sheet.write_row(1, 0, ["0001", "Ada", "Lovelace", "ada@example.edu"])
    admin.begin()
    admin.upload(written.getvalue(), name="people.xlsx")
    assert "Notes of nobody" in admin.page("draft-file")
    admin.send("draft-sheet", sheet="People")
    assert "Lovelace" in admin.page("draft-file")
    admin.send("draft-validate")
    admin.work()
    admin.send("draft-process")
    admin.work()
    assert admin.institution.records("accounts")["0001"]["FirstName"] == "Ada"
    assert admin.draft().spec["reading"]["sheet"] == "People"


def test_a_file_that_cannot_be_read_leaves_the_mapping_as_it_was(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE)
    before = admin.draft().spec["fields"]
    form = {"encoding": "auto", "delimiter": ";", "quote": '"'}
    text = admin.send("draft-file", status=422, skip_rows="900", header_row="1", **form)
    assert "notice-error" in text
    assert admin.draft().spec["fields"] == before
    admin.send("draft-file", skip_rows="0", header_row="1", **form)
    assert admin.draft().spec["fields"] == before
    assert "Every required field has a column" in words(admin.page("draft-map"))


def test_ten_thousand_values_are_paged_and_more_are_said(admin: Admin) -> None:
    rows = "".join(f"U{n},Unit {n},kind {n}\n" for n in range(10_500))
    admin.begin("org_units")
    admin.upload("OrgUnitIdentifier,Name,Type\n" + rows)
    number = admin.number("Type")
    admin.send("draft-field", number, **{"column-0": "2", "do": "add", "kind": "map"})
    text = admin.page("draft-field", number)
    assert "There are more than 10,000" in text
    assert text.count('name="value-0-') == 100
    sent = {"column-0": "2", "step-0-kind": "map", "step-0-other": "reject"}
    sent |= {"found-0-0": "kind 7", "value-0-0": "School"}
    place = admin.send("draft-field", number, **sent, do="values-2")
    assert "values=2" in place
    values = admin.draft().spec["fields"]["Type"]["steps"][0]["map"]
    assert values["values"] == {"kind 7": "School"}


def test_a_value_is_looked_up_in_a_table(admin: Admin) -> None:
    admin.begin()
    admin.upload(PEOPLE.replace("not an address", "alan@example.edu"))
    place = admin.number("LastName")
    admin.send("draft-field", place, **{"way": "columns", "column-0": "2"}, kind="lookup", do="add")
    assert "no table yet" in admin.page("draft-field", place)
    assert "lookup.table" in words(admin.page("draft-map"))
    pasted = "surname;house;year\nlovelace;Red;1\nNoether;Blue;2\n"
    admin.client.post(reverse("lookup-create"), {"name": "Houses", "pasted": pasted, "fold": "on"})
    step = {
        "way": "columns", "column-0": "2", "step-0-kind": "lookup",
        "step-0-source": "Houses\tyear", "step-0-other": "reject", "step-0-default": "",
    }  # fmt: skip
    admin.send("draft-field", place, **step, do="show")
    assert keeping_fields(admin)["LastName"]["steps"] == [
        {"lookup": {"table": "Houses", "other": "reject", "column": "year"}}
    ]
    other = {**step, "step-0-source": "Houses\thouse", "step-0-other": "default"}
    admin.send("draft-field", place, **other, do="show")
    assert "expected the text that an unknown key takes" in words(admin.page("draft-field", place))
    admin.send("draft-field", place, **{**other, "step-0-default": "Green"}, do="show")
    shown = words(admin.page("draft-field", place))
    for value in ("Red", "Blue", "Green"):
        assert value in shown
    admin.send("draft-validate")
    admin.work()
    admin.send("draft-process")
    admin.work()
    records = admin.institution.records("accounts")
    assert [records[key]["LastName"] for key in sorted(records)] == ["Red", "Blue", "Green"]


def keeping_fields(admin: Admin) -> dict[str, Any]:
    fields: dict[str, Any] = admin.draft().spec["fields"]
    return fields
