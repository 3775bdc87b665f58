"""Undo from the page, undo of an undo, and corrected rows sent back through the browser."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings

from imports.models import ImportJob
from tests.imports.institution import attached, counts
from tests.imports.web.desk import FILE, SPEC, Desk, file

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"


def row(key: str, first: str) -> str:
    return f"{key},{first},B,{key}@example.edu\n"


def send(desk: Desk, *rows: str) -> ImportJob:
    job = desk.institution.send("accounts", HEADER + "".join(rows))
    assert job.state == "complete", job.reason
    return job


def names(desk: Desk) -> dict[str, str]:
    records = desk.institution.records("accounts")
    return {key: record["FirstName"] for key, record in sorted(records.items())}


def test_the_page_says_beforehand_what_it_will_do_and_then_it_does_it(desk: Desk) -> None:
    send(desk, row("1", "Ada"), row("2", "Emmy"))
    job = send(desk, row("1", "Augusta"), row("2", "Amalie"), row("3", "Alan"))
    later = send(desk, row("2", "Noether"))
    assert "Undo this import" in desk.get("job", job.uid)
    text = desk.get("job-undo", job.uid)
    figures = re.findall(r"<dt>(Restored|Removed)</dt>\s*<dd>\s*(\d+)", text)
    assert figures == [("Restored", "1"), ("Removed", "1")]
    assert f"/jobs/{later.uid}/" in text
    assert names(desk)["1"] == "Augusta", "Looking changes nothing."
    desk.post("job-undo-confirm", job.uid)
    desk.institution.work()
    assert names(desk) == {"1": "Ada", "2": "Noether"}
    undo = desk.newest()
    page = desk.get("job", undo.uid)
    assert "Undo of" in page
    assert f"/jobs/{job.uid}/" in page
    assert "Left unchanged" in page
    assert f"/jobs/{undo.uid}/" in desk.get("job", job.uid)


def test_an_undo_is_undone(desk: Desk) -> None:
    job = send(desk, row("1", "Ada"))
    desk.post("job-undo-confirm", job.uid)
    desk.institution.work()
    undo = desk.newest()
    assert names(desk) == {}
    assert "Undo this undo" in desk.get("job", undo.uid)
    desk.post("job-undo-confirm", undo.uid)
    desk.institution.work()
    assert names(desk) == {"1": "Ada"}
    assert "Undo this import" in desk.get("job", job.uid)


def test_what_is_undone_already_says_so(desk: Desk) -> None:
    job = send(desk, row("1", "Ada"))
    desk.post("job-undo-confirm", job.uid)
    assert "already in progress" in desk.get("job-undo", job.uid)
    assert "already in progress" in desk.post("job-undo-confirm", job.uid)
    desk.institution.work()
    assert "already been undone" in desk.get("job-undo", job.uid)
    assert "Undo this import" not in desk.get("job", job.uid)
    assert ImportJob.objects.count() == 2


def test_a_job_that_changed_nothing_has_no_undo(desk: Desk) -> None:
    send(desk, row("1", "Ada"))
    same = send(desk, row("1", "Ada"))
    assert "Undo this import" not in desk.get("job", same.uid)
    held = desk.institution.send("accounts", HEADER + row("2", "X"), limits={"creates": 0})
    assert "cannot be undone" in desk.get("job-undo", held.uid)


def test_corrected_rows_run_alone(desk: Desk) -> None:
    job = desk.institution.send("accounts", HEADER + row("1", "Ada") + "2,,B,b@example.edu\n")
    assert job.state == "incomplete"
    assert "Upload the corrected file" in desk.get("job", job.uid)
    fixed = attached(job).replace(b"2,,B", b"2,Bo,B")
    assert fixed != attached(job)
    text = desk.post("job-correct", job.uid, file=file("accounts-errors.csv", fixed))
    assert "The corrected file was received" in text
    desk.institution.work()
    correction = desk.newest()
    assert (correction.state, counts(correction)) == ("complete", {"read": 1, "created": 1}), (
        correction.reason
    )
    assert names(desk) == {"1": "Ada", "2": "Bo"}
    assert (correction.file_name, correction.user, correction.asked_by) == (
        "accounts-errors.csv", desk.user, "person",
    )  # fmt: skip
    assert str(correction.uid) in desk.get("job", job.uid)
    assert "job.correct" in desk.trail()


def test_corrected_rows_keep_the_template(desk: Desk) -> None:
    template = desk.template(reading={"delimiter": ";"})
    job = desk.send(template, FILE.replace(",", ";") + "9;;X;x@example.edu\n")
    assert job.state == "incomplete", job.reason
    fixed = attached(job).replace(b"9;;X", b"9;Xi;X")
    desk.post("job-correct", job.uid, file=file("e.csv", fixed))
    desk.institution.work()
    again = desk.newest()
    assert (again.state, again.template_version) == ("complete", job.template_version), again.reason
    assert names(desk)["9"] == "Xi"


def test_corrected_rows_of_a_mirror_remove_nothing(desk: Desk) -> None:
    send(desk, row("1", "Ada"), row("2", "Bo"))
    content = HEADER + row("1", "Ada") + row("2", "Bo") + "3,,C,c@example.edu\n"
    job = desk.institution.send("accounts", content, operation="mirror")
    assert job.state == "incomplete", job.reason
    fixed = attached(job).replace(b"3,,C", b"3,Cy,C")
    desk.post("job-correct", job.uid, file=file("e.csv", fixed))
    desk.institution.work()
    assert desk.newest().state == "complete"
    assert names(desk) == {"1": "Ada", "2": "Bo", "3": "Cy"}


def test_corrected_rows_of_the_wizards_file_are_read_as_the_wizard_said(desk: Desk) -> None:
    content = FILE + "9,,X,x@example.edu\n"
    job = desk.institution.send("accounts", content, spec=SPEC)
    assert job.state == "incomplete", job.reason
    desk.post("job-correct", job.uid, file=file("e.csv", attached(job).replace(b"9,,X", b"9,Xi,X")))
    desk.institution.work()
    again = desk.newest()
    assert (again.state, again.spec) == ("complete", job.spec), again.reason
    assert names(desk)["9"] == "Xi"


def test_a_corrected_file_that_is_too_large_is_refused_in_words(
    desk: Desk, settings: LazySettings
) -> None:
    job = desk.institution.send("accounts", HEADER + row("1", "Ada") + "2,,B,b@example.edu\n")
    settings.MAX_UPLOAD_BYTES = 1000
    sent = file("e.csv", attached(job) + row("3", "Cy").encode() * 100)
    text = desk.post("job-correct", job.uid, file=sent)
    assert "The file is larger than 1000" in text.replace("\xa0", " ")
    assert ImportJob.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "The file is empty"), (None, "No file was chosen")]
)
def test_nothing_is_taken_without_a_file(desk: Desk, content: bytes | None, words: str) -> None:
    job = desk.institution.send("accounts", HEADER + row("1", "Ada") + "2,,B,b@example.edu\n")
    data = {} if content is None else {"file": file("e.csv", content)}
    assert words in desk.post("job-correct", job.uid, **data)
    assert ImportJob.objects.count() == 1


def test_a_complete_job_takes_no_correction(desk: Desk) -> None:
    job = send(desk, row("1", "Ada"))
    assert "Upload the corrected file" not in desk.get("job", job.uid)
    text = desk.post("job-correct", job.uid, file=file("e.csv", b"x"))
    assert "no rows to correct" in text
    assert ImportJob.objects.count() == 1
