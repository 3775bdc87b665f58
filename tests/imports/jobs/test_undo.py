"""Undo: what a job changed comes back, what was touched later stays, and an undo can be undone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from imports.jobs import actions, corrections, making, queue, undo
from imports.models import ImportJob
from imports.web.outcome import sentence
from portal.lifecycle import Heartbeat, LeaseLost
from portal.models import AuditEntry, Record, RecordChange
from tests.imports.institution import Institution, counts, states
from tests.locked import job_elsewhere

HEADER = "Action,Username,FirstName,LastName,CampusEmail\n"


def users(*rows: str) -> str:
    """Rows as "u1 Ada", or "-u1" for a removal."""
    lines = []
    for row in rows:
        name, _, first = row.lstrip("-").partition(" ")
        action = "delete" if row.startswith("-") else "update"
        lines.append(f"{action},{name},{first or 'A'},B,{name}@b.org\n")
    return HEADER + "".join(lines)


def send(institution: Institution, *rows: str) -> ImportJob:
    job = institution.send("engage_users", users(*rows))
    assert job.state == "complete", job.reason
    return job


def names(institution: Institution) -> dict[str, str]:
    rows = institution.records("engage_users")
    return {key: record["FirstName"] for key, record in sorted(rows.items())}


def whole() -> list[tuple[Any, ...]]:
    """Everything of the records that an undo puts back."""
    rows = Record.objects.order_by("key")
    return list(rows.values_list("key", "data", "active", "source_hash"))


def test_it_restores_changed_removed_and_created_records(institution: Institution) -> None:
    send(institution, "u1 Ada", "u2 Emmy", "u3 Alan")
    before = whole()
    job = send(institution, "u1 Augusta", "-u2", "u4 Grace")
    assert names(institution) == {"u1": "Augusta", "u3": "Alan", "u4": "Grace"}
    done = institution.undo(job)
    assert (done.state, counts(done)) == ("complete", {"read": 3, "updated": 2, "removed": 1})
    assert [row for row in whole() if row[2]] == before
    assert done.reason == "Records restored: 2; removed: 1."


def test_it_tells_beforehand_what_it_will_do(institution: Institution) -> None:
    send(institution, "u1 Ada", "u2 Emmy", "u3 Alan")
    job = send(institution, "u1 Augusta", "u2 Amalie", "-u3", "u4 Grace", "u5 Mary")
    later = send(institution, "u2 Noether", "u5 Maria")
    preview = undo.preview(job)
    assert (preview.restored, preview.removed, preview.left) == (2, 1, 2)
    assert [(left.key, left.job, left.file_name) for left in preview.examples] == [
        ("u2", str(later.uid), later.file_name),
        ("u5", str(later.uid), later.file_name),
    ]
    done = institution.undo(job)
    assert (done.state, counts(done)) == (
        "incomplete", {"read": 5, "updated": 2, "unchanged": 2, "removed": 1},
    )  # fmt: skip
    assert [left["key"] for left in done.plan_detail["left"]] == ["u2", "u5"]
    assert done.reason.endswith("because they were changed later: 2.")
    assert names(institution) == {"u1": "Ada", "u2": "Noether", "u3": "Alan", "u5": "Maria"}


def test_the_preview_writes_nothing(institution: Institution) -> None:
    job = send(institution, "u1 Ada", "u2 Emmy")
    before = institution.writes()
    assert undo.preview(job) == undo.UndoPreview(restored=0, removed=2, left=0)
    assert institution.writes() == before


def test_an_undo_of_the_undo_restores_all(institution: Institution) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    job = send(institution, "u1 Augusta", "-u2", "u3 Grace")
    after = whole()
    first = institution.undo(job)
    second = institution.undo(first)
    assert (second.state, counts(second)) == ("complete", {"read": 3, "updated": 2, "removed": 1})
    assert whole() == after


def test_a_job_can_be_undone_again_after_its_undo_was_undone(institution: Institution) -> None:
    job = send(institution, "u1 Ada")
    institution.undo(institution.undo(job))
    assert names(institution) == {"u1": "Ada"}
    again = institution.undo(job)
    assert (again.state, names(institution)) == ("complete", {})


def test_jobs_can_be_undone_one_after_the_other_backwards(institution: Institution) -> None:
    jobs = [send(institution, f"u1 Name{number}", f"u{number} X") for number in range(2, 6)]
    for number, job in reversed(list(enumerate(jobs, 2))):
        assert names(institution)["u1"] == f"Name{number}"
        assert institution.undo(job).state == "complete"
    assert names(institution) == {}


def test_a_brought_back_record_is_removed_again(institution: Institution) -> None:
    send(institution, "u1 Ada")
    send(institution, "-u1")
    job = send(institution, "u1 Augusta")
    assert counts(institution.undo(job)) == {"read": 1, "removed": 1}
    assert institution.records("engage_users", active=False)["u1"]["FirstName"] == "Ada"


def test_the_file_can_be_sent_again_after_an_undo(institution: Institution) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    job = send(institution, "u1 Augusta", "u3 Grace")
    institution.undo(job)
    again = send(institution, "u1 Augusta", "u3 Grace", "u2 Emmy")
    assert counts(again) == {"read": 3, "updated": 2, "unchanged": 1}
    assert names(institution) == {"u1": "Augusta", "u2": "Emmy", "u3": "Grace"}


def test_a_record_that_a_person_touched_is_left(institution: Institution) -> None:
    job = send(institution, "u1 Ada", "u2 Emmy")
    Record.objects.filter(key="u2").update(changed_job=None)
    (example,) = undo.preview(job).examples
    assert (example.key, example.job) == ("u2", None)
    institution.undo(job)
    assert names(institution) == {"u2": "Emmy"}


def test_a_record_that_a_person_touched_is_left_also_beside_another_undo(
    institution: Institution,
) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    job = send(institution, "u1 Augusta", "u2 Amalie")
    institution.undo(send(institution, "u2 Greta"))
    Record.objects.filter(key="u1").update(changed_job=None)
    assert institution.undo(job).state == "incomplete"
    assert names(institution) == {"u1": "Augusta", "u2": "Emmy"}


def test_it_tells_who_undid_what(institution: Institution) -> None:
    job = send(institution, "u1 Ada")
    done = institution.undo(job)
    assert (done.undoes, done.asked_by, done.user) == (job, "undo", institution.person())
    assert states(done) == ["ready", "running", "complete"]
    last = job.events.order_by("-pk")[0]
    assert (last.state, str(done.uid) in last.note) == ("complete", True)
    entry = AuditEntry.objects.get(action="job.undo")
    assert (entry.subject, entry.detail["undoes"]) == (str(done.uid), str(job.uid))


@pytest.mark.parametrize("state", ["ready", "running", "errored", "held", "failed", "discarded"])
def test_a_job_that_was_not_applied_is_refused(institution: Institution, state: str) -> None:
    job = institution.job("engage_users", users("u1"), state=state)
    with pytest.raises(actions.NotPossible, match="Only an import that was applied"):
        actions.undo(job, institution.person())
    assert not job.undos.exists()


def test_a_dry_run_is_refused(institution: Institution) -> None:
    job = institution.send("engage_users", users("u1"), dry_run=True)
    with pytest.raises(actions.NotPossible, match="dry run done"):
        actions.undo(job, institution.person())


def test_it_is_refused_twice(institution: Institution) -> None:
    job = send(institution, "u1 Ada")
    actions.undo(job, institution.person())
    with pytest.raises(actions.NotPossible, match="already in progress"):
        actions.undo(job, institution.person())
    institution.work()
    with pytest.raises(actions.NotPossible, match="already been undone"):
        actions.undo(job, institution.person())


def test_of_two_people_who_ask_at_once_the_second_waits_for_the_first(
    institution: Institution,
) -> None:
    job = send(institution, "u1 Ada")
    with job_elsewhere(job.pk), pytest.raises(OperationalError, match="lock timeout"):
        actions.undo(job, institution.person())
    assert not job.undos.exists()


def test_an_undo_that_became_impossible_changes_nothing(institution: Institution) -> None:
    job = send(institution, "u1 Ada")
    first = actions.undo(job, institution.person())
    second = making.for_undo(job, institution.person())
    institution.work()
    second.refresh_from_db()
    first.refresh_from_db()
    assert (first.state, second.state, second.fault) == ("complete", "failed", "")
    assert "already been undone" in second.reason
    assert not RecordChange.objects.filter(job_id=second.pk).exists()


def test_it_leaves_no_table_behind(institution: Institution) -> None:
    institution.undo(send(institution, "u1 Ada"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'")
        assert cursor.fetchone() == (0,)


def test_an_undo_and_a_trial_wait_for_no_corrected_file(institution: Institution) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    job = send(institution, "u1 Grace", "u2 Greta")
    send(institution, "u2 Noether")
    done = institution.undo(job)
    assert (done.state, corrections.expected(done)) == ("incomplete", False)
    trial = institution.send("engage_users", "Username\n", dry_run=True)
    assert (trial.state, corrections.expected(trial)) == ("failed", False)
    failed = institution.send("engage_users", "Username\n")
    assert (failed.state, corrections.expected(failed)) == ("failed", True)


def test_a_job_with_rejected_rows_can_be_undone(institution: Institution) -> None:
    send(institution, "u1 Ada")
    job = institution.send("engage_users", users("u1 Augusta", "-u9"))
    assert job.state == "incomplete"
    institution.undo(job)
    assert names(institution) == {"u1": "Ada"}


def test_an_undo_that_was_taken_over_writes_nothing(institution: Institution) -> None:
    actions.undo(send(institution, "u1 Ada"), institution.person())
    claimed = queue.next_job(institution.tenant.pk)
    assert claimed is not None
    ImportJob.objects.filter(pk=claimed.pk).update(token=F("token") + 1)
    before = institution.writes()
    with Heartbeat(claimed, institution.tenant.pk) as beat, pytest.raises(LeaseLost):
        undo.carry_out(claimed, beat)
    assert institution.writes() == before


def test_the_page_says_what_an_undo_did(institution: Institution) -> None:
    done = institution.undo(send(institution, "u1 Ada"))
    assert sentence(done) == "Records restored: 0; removed: 1."


def test_an_undo_that_left_some_records_still_brought_the_others_back(
    institution: Institution,
) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    before = send(institution, "u1 Augusta", "u2 Amalie")
    job = send(institution, "u1 Grace", "u2 Greta")
    send(institution, "u2 Noether")
    assert institution.undo(job).state == "incomplete"
    assert names(institution) == {"u1": "Augusta", "u2": "Noether"}
    assert institution.undo(before).state == "incomplete"
    assert names(institution) == {"u1": "Ada", "u2": "Noether"}


def test_of_two_undos_at_once_the_second_waits_and_is_refused(institution: Institution) -> None:
    """Both have been claimed; the one that locks the undone job first carries it out."""
    job = send(institution, "u1 Ada")
    actions.undo(job, institution.person())
    claimed = queue.next_job(institution.tenant.pk)
    assert claimed is not None
    with (
        job_elsewhere(job.pk),
        Heartbeat(claimed, institution.tenant.pk) as beat,
        pytest.raises(OperationalError, match="lock timeout"),
    ):
        undo.carry_out(claimed, beat)
    assert names(institution) == {"u1": "Ada"}
    faster = making.for_undo(job, institution.person())
    ImportJob.objects.filter(pk=faster.pk).update(state="complete")
    with Heartbeat(claimed, institution.tenant.pk) as beat:
        undo.carry_out(claimed, beat)
    claimed.refresh_from_db()
    assert (claimed.state, names(institution)) == ("failed", {"u1": "Ada"})


def test_an_undo_that_would_write_other_than_planned_writes_nothing(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(institution, "u1 Ada", "u2 Emmy")
    job = send(institution, "u1 Augusta", "u2 Amalie", "u3 Grace")
    monkeypatch.setattr(undo, "_RESTORE", f"{undo._RESTORE} AND r.key <> 'u2'")
    done = institution.undo(job)
    assert (done.state, done.fault) == ("errored", "portal")
    assert names(institution) == {"u1": "Augusta", "u2": "Amalie", "u3": "Grace"}
    assert not RecordChange.objects.filter(job_id=done.pk).exists()
