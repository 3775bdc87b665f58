"""Files that come before what they refer to wait for it, and are offered again when it is late."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now

from imports.jobs import corrections
from imports.models import ImportJob
from imports.web.outcome import sentence
from portal.models import Account, Notice, Upload
from tests.imports.folder import Folders
from tests.imports.institution import CAMPUS, Institution, counts, issues, states
from tests.locked import job_elsewhere

FILES = {
    **CAMPUS,
    "section_attributes": "Identifier,Key,Value\nS1,Room,12\n",
    "enrollments": "PersonIdentifier,SectionIdentifier,Status\n0002,S1,Enrolled\n",
    "instructors": "PersonIdentifier,SectionIdentifier,Role\n0001,S1,Primary\n0001,S2,Primary\n",
    "remove_instructors": "PersonIdentifier,SectionIdentifier\n0001,S2\n",
    "academic_programs": "ProgramIdentifier,OrgUnitIdentifier,Name,Type,Description,"
    'CourseIdentifiers\nP1,SCI,Biology,Undergraduate,,"BIO101,BIO102"\n',
    "beacon_connections": "AdvisorID,ExternalID,Action\n0001,0002,connect\n",
    "engage_users": "Action,Username,FirstName,LastName,CampusEmail\nupdate,u1,A,B,u1@b.org\n",
}
ENROLLMENTS = FILES["enrollments"]
TYPO = ENROLLMENTS + "0002,NOWHERE,Enrolled\n"


@pytest.fixture
def sender(institution: Institution) -> Folders:
    return Folders(institution, *FILES)


def later(minutes: int = 6) -> None:
    """Let time pass for what waits."""
    by = timedelta(minutes=minutes)
    jobs = ImportJob.objects.filter(state="ready")
    jobs.update(ready_at=F("ready_at") - by, waits_until=F("waits_until") - by)


def by_feed() -> dict[str, str]:
    return dict(ImportJob.objects.order_by("pk").values_list("feed", "state"))


def only(feed: str) -> ImportJob:
    return ImportJob.objects.get(feed=feed)


@pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reversed"])
def test_folders_in_the_order_of_the_alphabet_end_complete(
    sender: Folders, backwards: bool
) -> None:
    """Each file is collected and tried before the next one arrives."""
    feeds = sorted(FILES, key=lambda feed: sender.drops[feed].path, reverse=backwards)
    for feed in feeds:
        sender.deliver(f"{feed}.csv", FILES[feed], feed)
        sender.go()
    assert by_feed() == dict.fromkeys(feeds, "complete")
    keys = set(sender.institution.records("instructors"))
    assert keys == {"0001\x1fs1"}
    assert not Notice.objects.exists()
    assert all(sender.text(f"{f}.csv.result.txt", f).startswith("complete") for f in feeds)


def test_nobody_hears_of_it_while_it_waits(sender: Folders) -> None:
    sender.deliver("e.csv", ENROLLMENTS, "enrollments")
    sender.go()
    sender.go()
    job = only("enrollments")
    assert (job.state, job.attempt, issues(job)) == ("ready", 0, {})
    assert (job.owner, job.lease_until) == ("", None)
    assert "It waits some minutes" in sentence(job)
    assert job.events.latest("pk").note.startswith("2 references to records that are not there yet")
    assert sender.names("enrollments") == {"e.csv", "e.csv.done.PROCESSING"}
    assert not Notice.objects.exists()
    assert states(job).count("running") == 1, "It is run again although nothing has come."
    sender.institution.send("sections", CAMPUS["sections"], dry_run=True)
    sender.go()
    assert states(job).count("running") == 1, "It is run again for a trial."


def test_when_its_time_is_over_what_is_missing_is_rejected(sender: Folders) -> None:
    sender.institution.load_campus()
    sender.deliver("e.csv", TYPO, "enrollments")
    sender.go()
    assert only("enrollments").state == "ready"
    later()
    sender.go()
    job = only("enrollments")
    assert (job.state, counts(job)) == ("incomplete", {"read": 2, "created": 1, "rejected": 1})
    assert sender.text("e.csv.result.txt", "enrollments").startswith("incomplete")


def test_it_does_not_wait_because_another_file_does(sender: Folders) -> None:
    """Neither needs the other; only the enrollments' time is over."""
    sender.institution.load_campus()
    sender.deliver("e.csv", TYPO, "enrollments")
    sender.deliver("i.csv", FILES["instructors"] + "0001,NOWHERE,Primary\n", "instructors")
    sender.go()
    assert {only("enrollments").state, only("instructors").state} == {"ready"}
    ImportJob.objects.filter(feed="enrollments").update(waits_until=Now(), ready_at=Now())
    sender.go()
    assert (only("enrollments").state, only("instructors").state) == ("incomplete", "ready")


def test_it_outwaits_a_file_that_it_needs_and_that_waits_itself(sender: Folders) -> None:
    """The sections' file has a slip, and comes after the enrollments that need the rest of it."""
    sender.institution.load_campus("accounts", "org_units", "academic_terms", "courses")
    sender.deliver("e.csv", ENROLLMENTS, "enrollments")
    sender.go()
    slip = CAMPUS["sections"] + "S3,2026FA,NOCOURSE,01,2026-08-24,2026-12-18,Online,\n"
    sender.deliver("s.csv", slip, "sections")
    sender.go()
    assert by_feed() | {"accounts": "complete"} == by_feed()
    assert {only("enrollments").state, only("sections").state} == {"ready"}
    ImportJob.objects.filter(feed="enrollments").update(waits_until=Now(), ready_at=Now())
    sender.go()
    assert only("enrollments").state == "ready"
    ImportJob.objects.filter(feed="sections").update(waits_until=Now(), ready_at=Now())
    sender.go()
    assert (only("sections").state, only("enrollments").state) == ("incomplete", "complete")


def test_others_do_not_stand_still_behind_a_file_that_waits(sender: Folders) -> None:
    sender.institution.load_campus()
    slip = CAMPUS["sections"] + "S3,2026FA,NOCOURSE,01,2026-08-24,2026-12-18,Online,\n"
    sender.deliver("s.csv", slip, "sections")
    sender.go()
    sender.deliver("i.csv", FILES["instructors"], "instructors")
    sender.go()
    waiting = ImportJob.objects.get(feed="sections", state="ready")
    assert (waiting.rank < only("instructors").rank, only("instructors").state) == (
        True, "complete"
    )  # fmt: skip


def test_a_file_that_begins_to_wait_wakes_no_other(sender: Folders) -> None:
    """Two that wait for a third would wake each other without end."""
    sender.institution.load_campus("accounts", "org_units", "academic_terms", "courses")
    slip = CAMPUS["sections"] + "S3,2026FA,NOCOURSE,01,2026-08-24,2026-12-18,Online,\n"
    for name, content, feed in (("e", ENROLLMENTS, "enrollments"), ("s", slip, "sections")):
        sender.deliver(f"{name}.csv", content, feed)
        sender.go()
    first = only("enrollments")
    soon = Now() + timedelta(seconds=40)
    ImportJob.objects.filter(pk=first.pk).update(waits_until=Now(), ready_at=soon)
    tries = states(first).count("running")
    sender.deliver("e2.csv", ENROLLMENTS.replace("0002", "0003"), "enrollments")
    sender.go()
    assert set(ImportJob.objects.filter(feed="enrollments").values_list("state", flat=True)) == {
        "ready"
    }
    assert states(first).count("running") == tries


def test_a_wait_lasts_as_long_as_an_upload_that_it_may_need(sender: Folders) -> None:
    sender.institution.load_campus()
    sender.deliver("e.csv", TYPO, "enrollments")
    sender.go()
    later(minutes=4)
    endpoint, tenant = sender.endpoint, sender.institution.tenant
    account = Account.objects.create(tenant=tenant, endpoint=endpoint, username="sender")
    path = f"{sender.drops['sections'].path}/s.csv"
    Upload.objects.create(tenant=tenant, account=account, endpoint=endpoint, path=path)
    ImportJob.objects.filter(feed="enrollments").update(
        waits_until=Now() + timedelta(seconds=2), ready_at=Now() + timedelta(seconds=2)
    )
    sender.poll()
    job = only("enrollments")
    soon = Now() + timedelta(seconds=30)
    assert ImportJob.objects.filter(pk=job.pk, waits_until__gt=soon, ready_at__gt=soon).exists()


def test_a_newer_file_s_rows_win_over_those_of_one_that_waited(sender: Folders) -> None:
    sender.institution.load_campus()
    sender.deliver("one.csv", TYPO + "0003,S1,Enrolled\n", "enrollments")
    sender.go()
    sender.deliver("two.csv", ENROLLMENTS.replace("Enrolled", "Withdrawn"), "enrollments")
    sender.go()
    later()
    sender.go()
    records = sender.institution.records("enrollments")
    assert {key: row["Status"] for key, row in records.items()} == {
        "0002\x1fs1": "Withdrawn", "0003\x1fs1": "Enrolled",
    }  # fmt: skip
    again = sender.institution.send("enrollments", ENROLLMENTS.replace("Enrolled", "Withdrawn"))
    assert again.rows_unchanged == 1


def test_a_mirror_that_waited_does_not_remove_what_a_newer_file_brought(sender: Folders) -> None:
    sender.institution.load_campus()
    mirror: dict[str, Any] = {"operation": "mirror", "limits": {"removes": "100%"}}
    sender.deliver("one.csv", TYPO, "enrollments")
    sender.poll()
    ImportJob.objects.filter(feed="enrollments").update(**mirror)
    sender.institution.work()
    sender.deliver("two.csv", ENROLLMENTS + "0003,S2,Enrolled\n", "enrollments")
    sender.go()
    later()
    (waited,) = sender.go()
    assert (waited.state, waited.rows_removed) == ("incomplete", 0)
    assert set(sender.institution.records("enrollments")) == {"0002\x1fs1", "0003\x1fs2"}


def test_without_the_setting_nothing_waits(sender: Folders, settings: Any) -> None:
    settings.REFERENCE_WAIT_SECONDS = 0
    sender.deliver("e.csv", ENROLLMENTS, "enrollments")
    sender.go()
    assert only("enrollments").state == "failed"


def test_of_two_people_who_try_rows_again_the_second_waits_and_leaves_no_copy(
    institution: Institution,
) -> None:
    institution.load_campus("accounts", "org_units", "academic_terms", "courses")
    early = institution.send("enrollments", ENROLLMENTS)
    institution.load_campus("sections")
    with job_elsewhere(early.pk), pytest.raises(OperationalError, match="lock timeout"):
        corrections.again(early, institution.person())
    assert not early.corrections.exists()
    copies = Path(default_storage.path(f"corrections/{early.tenant_id}"))
    assert list(copies.iterdir()) == []


def test_rows_are_not_offered_again_when_nothing_has_come(institution: Institution) -> None:
    institution.load_campus()
    early = institution.send("enrollments", TYPO)
    assert early.state == "incomplete"
    assert institution.send("sections", CAMPUS["sections"]).rows_unchanged == 2
    assert not corrections.can_be_tried_again(early)
    other = CAMPUS["sections"] + "NOWHERE,2026FA,BIO101,02,2026-08-24,2026-12-18,Online,\n"
    assert institution.send("sections", other).rows_created == 1
    assert corrections.can_be_tried_again(early)


def test_rows_are_offered_again_when_what_they_lacked_has_come(institution: Institution) -> None:
    institution.load_campus("accounts", "org_units", "academic_terms", "courses")
    early = institution.send("enrollments", ENROLLMENTS + "0003,S1,Enrolled\n")
    assert early.state == "failed"
    assert not corrections.can_be_tried_again(early)
    with pytest.raises(corrections.NotTaken):
        corrections.again(early, institution.person())
    institution.load_campus("sections")
    newer = institution.send("enrollments", ENROLLMENTS.replace("Enrolled", "Withdrawn"))
    assert newer.state == "complete"
    assert corrections.can_be_tried_again(early)
    retry = corrections.again(early, institution.person())
    institution.work()
    retry.refresh_from_db()
    assert (retry.state, counts(retry)) == ("complete", {"read": 2, "created": 1, "unchanged": 1})
    records = institution.records("enrollments")
    assert {row["Status"] for row in records.values()} == {"Withdrawn", "Enrolled"}
    assert (retry.corrects, retry.source) == (early, early.source)
    assert not corrections.can_be_tried_again(early)
