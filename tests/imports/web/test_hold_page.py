"""A held job on its page: what would happen, why it waits, and the three decisions."""

from __future__ import annotations

import csv
import io
import re

from django.db.models.functions import Now
from django.urls import reverse

from imports.jobs import queries
from imports.models import Arrival, ArrivalFile, ImportJob
from portal.models import AuditEntry, Drop, Endpoint
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
    assert (job.state, job.limits) == ("complete", {"updates": 1})
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


def test_a_newer_file_is_named_and_discarding_comes_first(desk: Desk) -> None:
    held = desk.institution.send("accounts", rows(1, 2), limits={"creates": 1})
    text = desk.get("job", held.uid)
    assert "A newer file was imported" not in text
    assert text.index("Release…") < text.index("Discard…")
    newer = desk.institution.send("accounts", rows(1), file_name="Tuesday.csv")
    text = desk.get("job", held.uid)
    box = text[text.index("A newer file was imported after this one:") :]
    assert box.index("Tuesday.csv") < box.index("<time") < box.index("Discard…")
    assert f"/jobs/{newer.uid}/" in box
    assert box.index("Discard…") < box.index("Release…")


def test_only_files_of_the_same_template_and_what_still_holds_are_newer(desk: Desk) -> None:
    template = desk.template(settings={"limits": {"creates": 0}})
    held = desk.send(template)
    assert held.state == "held"
    plain = desk.institution.send("accounts", rows(1))
    assert list(queries.applied_since(held)) == []
    desk.version(template)
    newer = desk.send(template)
    assert list(queries.applied_since(held)) == [newer]
    newest = desk.send(template)
    assert list(queries.applied_since(held)) == [newest, newer]
    ImportJob.objects.filter(pk=newer.pk).update(finished_at=Now())
    assert list(queries.applied_since(held)) == [newer, newest], "The one that ended last."
    desk.institution.undo(newest)
    desk.institution.undo(newer)
    assert list(queries.applied_since(held)) == []
    assert list(queries.applied_since(plain)) == []


def test_only_files_of_the_same_folder_are_newer(desk: Desk) -> None:
    tenant = desk.institution.tenant
    endpoint = Endpoint.objects.create(tenant=tenant, name="SFTP")
    jobs = []
    for path, limits in (("A", {"creates": 0}), ("B", {}), ("A", {})):
        drop, _ = Drop.objects.get_or_create(
            tenant=tenant, endpoint=endpoint, path=path, feed="accounts"
        )
        arrival = Arrival.objects.create(
            tenant=tenant, drop=drop, name="x.done", identity=f"{len(jobs)}"
        )
        file = ArrivalFile.objects.create(
            tenant=tenant, arrival=arrival, index=0, name="x.csv", source=str(len(jobs))
        )
        jobs.append(desk.institution.send("accounts", rows(1), limits=limits, arrival_file=file))
    held, _other, newer = jobs
    assert held.state == "held"
    assert list(queries.applied_since(held)) == [newer]


def test_keys_of_several_fields_are_shown_as_the_file_has_them(desk: Desk) -> None:
    desk.institution.load_campus()
    header = "PersonIdentifier,SectionIdentifier,Status\n"
    first = f"{header}0001,S1,Enrolled\n0002,S1,Enrolled\n"
    done = desk.institution.send("enrollments", first)
    changed = f"{header}0001,S1,Dropped\n0003,S2,Enrolled\n"
    limits = {"updates": 0}
    held = desk.institution.send("enrollments", changed, limits=limits, operation="mirror")
    text = desk.get("job", held.uid)
    for key in ("0001 / S1", "0003 / S2", "0002 / S1"):
        assert key in text
    assert "u001f" not in text
    assert "s1" not in text
    desk.institution.release(held)
    assert "0001 / S1" in desk.get("job-undo", done.uid)


def test_a_plan_of_an_older_portal_shows_no_control_character(desk: Desk) -> None:
    job = desk.institution.send("accounts", rows(1, 2), limits={"creates": 1})
    job.plan_detail["creates"][0]["key"] = "a\x1fb"
    job.save()
    assert "a / b" in desk.get("job", job.uid)


def numbers(text: str) -> dict[str, str]:
    """The page's numbers by their words."""
    pairs = re.findall(r"<dt>([^<]+)</dt>\s*<dd[^>]*>\s*(?:<span[^>]*>)?([\d,]+)", text)
    return {name.strip(): number for name, number in pairs}


def test_numbers_of_a_plan_do_not_read_as_if_it_had_been_carried_out(desk: Desk) -> None:
    desk.institution.send("accounts", rows(1))
    job = desk.institution.send("accounts", rows(1, 2, 3), limits={"creates": 1})
    held = numbers(desk.get("job", job.uid))
    assert held["Create"] == "2"
    assert not {"Created", "Updated", "Removed"} & set(held)
    listed = desk.get("jobs")
    assert re.search(r'data-label="Created">\s*\u2013\s*<', listed)
    exported = b"".join(desk.client.get(reverse("jobs-csv")).streaming_content).decode("utf-8-sig")
    newest = next(csv.DictReader(io.StringIO(exported)))
    assert (newest["status"], newest["read"], newest["created"]) == ("Held", "3", "")
    desk.post("job-discard", job.uid)
    discarded = numbers(desk.get("job", job.uid))
    assert discarded["Would have been created"] == "2"
    assert not {"Created", "Updated", "Removed", "Create"} & set(discarded)
    planned = desk.institution.send("accounts", rows(1, 2), dry_run=True)
    assert numbers(desk.get("job", planned.uid))["Create"] == "1"
    done = desk.institution.send("accounts", rows(1, 2))
    assert numbers(desk.get("job", done.uid))["Created"] == "1"


def test_doubts_have_a_part_of_the_plan_of_their_own(desk: Desk) -> None:
    desk.institution.send("accounts", rows(42, 43))
    file = f"{HEADER}42,Ada,B42,p42@example.edu\n0043,Tariq,Newcomer,tariq@example.edu\n"
    job = desk.institution.send("accounts", file)
    text = desk.get("job", job.uid)
    zeros = text[
        text.index("only leading zeros differ") : text.index("somebody or something else<")
    ]
    assert zeros.index(">42<") < zeros.index("stored is") < zeros.index("0042")
    reused = text[text.index("somebody or something else<") :]
    assert reused.index("0043") < reused.index("Newcomer")
    assert re.search(r'name="limit_lost_zeros"\s+value="1"', text)
    assert re.search(r'name="limit_reused_keys"\s+value="1"', text)


def test_what_changed_since_a_release_is_marked(desk: Desk) -> None:
    desk.institution.send("accounts", rows(1, 2))
    job = desk.institution.send("accounts", rows(1, first="Augusta"), limits={"updates": 0})
    desk.institution.send("accounts", rows(1, first="Later"), file_name="Later.csv")
    desk.post("job-release", job.uid)
    desk.institution.work()
    text = desk.get("job", job.uid)
    assert "The plan is not the one any more that was released" in text
    assert "changed by Later.csv since this plan was shown" in text
