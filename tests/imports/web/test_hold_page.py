"""A held job on its page: what would happen, why it waits, and the three decisions."""

from __future__ import annotations

import re

from portal.models import AuditEntry
from tests.imports.institution import counts
from tests.imports.web.desk import FILE, SPEC, Desk

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"


def rows(*numbers: int, first: str = "Ada") -> str:
    return HEADER + "".join(f"{n:04},{first},B{n},p{n}@example.edu\n" for n in numbers)


def test_it_shows_what_would_happen_and_why_it_waits(desk: Desk) -> None:
    desk.institution.send("accounts", rows(1, 2))
    job = desk.institution.send(
        "accounts", rows(1, 3, 4, first="Augusta"), limits={"creates": 1, "updates": 0}
    )
    assert job.state == "held"
    text = desk.get("job", job.uid)
    assert "The file would create 2 records; the limit is 1." in text
    assert "Would be created" in text
    assert "Would be updated" in text
    updates = text[text.index("Would be updated") : text.index("Would be created")]
    assert updates.index("Ada") < updates.index("Augusta")
    assert "FirstName" in updates
    assert "LastName" not in updates, "It does not change."


def test_records_that_a_mirror_would_remove_are_shown_first(desk: Desk) -> None:
    desk.institution.send("accounts", rows(1, 2, 3))
    job = desk.institution.send("accounts", rows(1), operation="mirror", limits={"removes": 1})
    text = desk.get("job", job.uid)
    assert "Not in the file" in text
    assert text.index("Would be removed") < text.index("0002")


def test_changed_identifiers_are_asked_about_in_a_sentence(desk: Desk) -> None:
    desk.institution.send("accounts", rows(*range(30)))
    job = desk.institution.send(
        "accounts", HEADER + rows(*range(30))[len(HEADER) :].replace("00", "N0")
    )
    assert "Did the identifiers change?" in desk.get("job", job.uid)


def test_release_goes_on_and_the_timeline_tells_who_decided(desk: Desk) -> None:
    job = desk.institution.send("accounts", rows(1, 2), limits={"creates": 1})
    desk.post("job-release", job.uid)
    desk.institution.work()
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("complete", {"read": 2, "created": 2})
    text = desk.get("job", job.uid)
    assert desk.user.email in text
    assert "Released as planned." in text


def test_release_with_a_higher_limit_lets_the_plan_grow_up_to_it(desk: Desk) -> None:
    desk.institution.send("accounts", rows(1, 2, 3))
    job = desk.institution.send("accounts", rows(1, 2, first="X"), limits={"updates": 1})
    page = desk.get("job", job.uid)
    assert re.search(r'name="limit_updates"\s+value="2"', page)
    desk.post("job-release", job.uid, limit_updates="3")
    desk.institution.work()
    job.refresh_from_db()
    assert (job.state, job.limits) == ("complete", {"updates": "3"})
    assert "Released with limits for this job only: updates 3." in desk.get("job", job.uid)
    last = AuditEntry.objects.filter(action="job.release").latest("id")
    assert last.detail["limits"] == {"updates": "3"}


def test_a_limit_that_cannot_be_read_is_told_and_releases_nothing(desk: Desk) -> None:
    job = desk.institution.send("accounts", rows(1, 2), limits={"creates": 1})
    for text in ("many", "-3", "1e9", "%", "nan%"):
        page = desk.post("job-release", job.uid, limit_creates=text)
        assert "Nothing was done" in page, text
        job.refresh_from_db()
        assert job.state == "held", text


def test_discard_changes_nothing_and_says_who(desk: Desk) -> None:
    job = desk.institution.send("accounts", rows(1, 2), limits={"creates": 1})
    desk.post("job-discard", job.uid)
    desk.institution.work()
    job.refresh_from_db()
    assert job.state == "discarded"
    assert desk.institution.records("accounts") == {}
    text = desk.get("job", job.uid)
    assert desk.user.email in text
    assert "Would be created" not in text


def test_a_limit_per_value_is_agreed_to_not_raised(desk: Desk) -> None:
    per = {"field": "FirstName", "limits": {"creates": 1}}
    job = desk.institution.send("accounts", rows(1, 2), limits_per=per)
    text = desk.get("job", job.uid)
    assert "FirstName Ada: the file would create 2 records" in text
    assert "limit_creates" not in text


def test_a_file_that_lacks_a_column_says_to_correct_the_template(desk: Desk) -> None:
    template = desk.template(settings={"missing_columns": "hold"})
    job = desk.send(template, FILE.replace("Mail", "Post", 1))
    text = desk.get("job", job.uid)
    assert "There is no plan yet" in text
    assert f"/templates/{template.uid}/" in text
    fields = {**SPEC["fields"], "Email": {"columns": ["Post"]}}
    desk.version(template, columns=["Nr", "Vorname", "Nachname", "Post"], fields=fields)
    desk.post("job-release", job.uid)
    desk.institution.work()
    job.refresh_from_db()
    assert (job.state, job.template_version.number) == ("complete", 2), job.reason


def test_foreign_values_of_a_plan_are_shown_as_text(desk: Desk) -> None:
    bad = '<img src=x onerror="1">'
    file = f"{HEADER}1,{bad.replace(chr(34), chr(39))},B,a@example.edu\n"
    job = desk.institution.send("accounts", file, limits={"creates": 0})
    assert job.state == "held"
    assert "<img" not in desk.get("job", job.uid)
