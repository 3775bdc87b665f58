"""The limits of a folder hold for its next file, and for one that is run again."""

from __future__ import annotations

from typing import Any

import pytest

from imports.collect import folder_limits
from imports.jobs import actions, corrections, instructions
from imports.models import ImportJob
from portal.changes import ChangedMeanwhile, fingerprint
from portal.faults import Refused
from portal.models import AuditEntry, Drop
from tests.imports.folder import Folders
from tests.imports.institution import Institution, counts
from tests.imports.web.desk import FILE, SPEC, file

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"


def people(*numbers: int, email: str = "p{}@example.edu") -> str:
    return HEADER + "".join(f"{n:04},Ada,B{n},{email.format(n)}\n" for n in numbers)


@pytest.fixture
def sender(institution: Institution) -> Folders:
    return Folders(institution, "accounts")


def limited(sender: Folders, **limits: Any) -> Drop:
    return folder_limits.change(sender.drops["accounts"], limits)


def sent(sender: Folders, name: str, content: str) -> ImportJob:
    sender.deliver(name, content)
    (job,) = sender.go()
    job.refresh_from_db()
    return job


def again(sender: Folders, job: ImportJob) -> ImportJob:
    actions.plan_again(ImportJob.objects.get(pk=job.pk), sender.institution.person())
    sender.institution.work()
    job.refresh_from_db()
    return job


def test_the_next_file_is_held_by_the_new_limits(sender: Folders) -> None:
    assert sent(sender, "a.csv", people(1, 2)).state == "complete"
    limited(sender, creates=1)
    held = sent(sender, "b.csv", people(3, 4))
    assert (held.state, held.limits) == ("held", {}), "Nothing is copied into the job."
    assert "would create 2 records; the limit is 1." in held.reason


def test_a_held_file_is_run_again_with_the_limits_of_its_folder_as_they_are_now(
    sender: Folders,
) -> None:
    limited(sender, creates=1)
    held = sent(sender, "a.csv", people(1, 2))
    assert not actions.has_newer_rules(held)
    limited(sender, creates=2)
    held = ImportJob.objects.get(pk=held.pk)
    assert actions.has_newer_rules(held)
    assert (again(sender, held).state, counts(held)) == ("complete", {"read": 2, "created": 2})
    entry = AuditEntry.objects.get(action="job.plan")
    assert (entry.subject, entry.detail["file"]) == (str(held.uid), "a.csv")


def test_a_held_file_is_held_again_where_the_new_limits_do_not_allow_it(sender: Folders) -> None:
    limited(sender, creates=1)
    held = sent(sender, "a.csv", people(1, 2, 3))
    limited(sender, creates=2)
    assert again(sender, held).state == "held"
    assert [hold["limit"] for hold in held.hold_reasons] == [2]
    assert not actions.has_newer_rules(held)


def test_a_held_file_can_still_be_released_as_its_page_shows_it(sender: Folders) -> None:
    limited(sender, creates=2)
    held = sent(sender, "a.csv", people(1, 2, 3))
    limited(sender, creates=0)
    assert sender.institution.release(held).state == "complete"


def test_what_was_agreed_to_before_does_not_count_for_a_file_that_is_run_again(
    sender: Folders,
) -> None:
    limited(sender, creates=1)
    held = sent(sender, "a.csv", people(1, 2, 3))
    ImportJob.objects.filter(pk=held.pk).update(released_plan={"limits": {"creates": 9}})
    assert again(sender, held).state == "held"


def test_a_file_that_failed_by_our_fault_is_retried_with_the_new_limits(sender: Folders) -> None:
    sender.deliver("a.csv", people(1, 2))
    sender.poll()
    job = ImportJob.objects.get()
    ImportJob.objects.update(state="failed", fault="portal")
    limited(sender, creates=1)
    actions.retry(ImportJob.objects.get(), sender.institution.person())
    sender.institution.work()
    job.refresh_from_db()
    assert job.state == "held"


def test_a_corrected_file_has_the_limits_of_the_folder_that_the_first_one_came_into(
    sender: Folders,
) -> None:
    job = sent(sender, "a.csv", people(1) + people(2, 3, email="none")[len(HEADER) :])
    assert job.state == "incomplete"
    limited(sender, creates=1)
    correction = corrections.take(job, file("a.csv", people(2, 3)), sender.institution.person())
    assert instructions.folder_of(correction) == sender.drops["accounts"]
    sender.institution.work()
    correction.refresh_from_db()
    assert correction.state == "held"


def test_the_limits_of_a_file_without_folder_and_template_do_not_change(
    institution: Institution,
) -> None:
    spec = {**SPEC, "settings": {"limits": {"creates": 1}}}
    of_a_wizard = institution.send("accounts", FILE, spec=spec)
    of_a_person = institution.send("accounts", people(1, 2), limits={"creates": 1})
    for job in (of_a_wizard, of_a_person):
        assert job.state == "held"
        assert not actions.has_newer_rules(job)


def test_a_file_held_by_what_is_no_limit_has_no_newer_rules(sender: Folders) -> None:
    sent(sender, "a.csv", people(*range(30)))
    held = sent(sender, "b.csv", people(*range(30)).replace("\n00", "\nN0"))
    assert [hold["measure"] for hold in held.hold_reasons] == [""]
    limited(sender, creates=500)
    assert not actions.has_newer_rules(ImportJob.objects.get(pk=held.pk))


def test_only_a_held_file_is_run_again(sender: Folders) -> None:
    done = sent(sender, "a.csv", people(1))
    with pytest.raises(actions.NotPossible):
        actions.plan_again(done, sender.institution.person())
    assert not actions.has_newer_rules(done)


def test_a_change_is_recorded_with_what_held_before_and_after(sender: Folders) -> None:
    limited(sender, removes="5%")
    limited(sender, removes="5%")  # no change, no entry
    limited(sender, creates=7)
    entries = AuditEntry.objects.filter(action="folder.limits").order_by("id")
    assert [(e.subject, e.detail["old"], e.detail["new"]) for e in entries] == [
        (sender.drops["accounts"].path, {}, {"removes": "5%"}),
        (sender.drops["accounts"].path, {"removes": "5%"}, {"creates": 7}),
    ]


@pytest.mark.parametrize("limit", ["many", "-3", -3, "1e9", "%", "nan%", "10 %", 10**13, True, ""])
def test_what_is_no_limit_is_refused_with_its_name_and_changes_nothing(
    sender: Folders, limit: object
) -> None:
    drop = limited(sender, removes="5%")
    with pytest.raises(Refused) as refused:
        folder_limits.change(drop, {"creates": 7, "updates": limit})
    assert [fault.path for fault in refused.value.faults] == [("updates",)]
    drop.refresh_from_db()
    assert drop.limits == {"removes": "5%"}


def test_a_limit_that_does_not_exist_is_refused(sender: Folders) -> None:
    with pytest.raises(Refused, match="deletes"):
        limited(sender, deletes=7)


def test_the_second_of_two_who_change_them_at_once_is_refused(sender: Folders) -> None:
    drop = limited(sender, removes="5%")
    seen = fingerprint(drop.limits)
    folder_limits.change(drop, {"removes": "6%"}, seen=seen)
    with pytest.raises(ChangedMeanwhile) as changed:
        folder_limits.change(drop, {"removes": "7%", "creates": 1}, seen=seen)
    assert set(changed.value.differs) == {"removes", "creates"}
    drop.refresh_from_db()
    assert drop.limits == {"removes": "6%"}
