"""One job: its words, the decisions about it, and its files."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import ANY

import pytest
from django.urls import reverse

from imports.jobs import actions
from imports.models import ImportJob, JobEvent
from portal import tenancy
from portal.models import AuditEntry
from tests.browser import seed
from tests.cast import Cast, as_person

State = ImportJob.State


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed.everything(cast, jobs=0)


def page(cast: Cast, job: ImportJob, person: str = "manager") -> str:
    return as_person(cast, person).get(reverse("job", args=[job.uid])).content.decode()


def fresh(job: ImportJob) -> ImportJob:
    with tenancy.everyone("a test looks"):
        return ImportJob.objects.get(pk=job.pk)


def act(cast: Cast, name: str, job: ImportJob) -> str:
    answer = as_person(cast, "manager").post(reverse(name, args=[job.uid]), follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def trail(job: ImportJob) -> list[tuple[str, str]]:
    with tenancy.everyone("a test looks"):
        entries = AuditEntry.objects.filter(subject=str(job.uid)).order_by("id")
        return [(entry.action, entry.user.email if entry.user else "") for entry in entries]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("complete", "All 8 rows were accepted"),
        ("incomplete", "41 of 48,211 rows were rejected"),
        ("failed", "the file cannot be imported as it is"),
        ("our_fault", "The problem is on our side"),
        ("held", "is waiting for somebody to decide"),
        ("running", "is being imported"),
        ("waiting", "is waiting for its turn"),
        ("errored", "retried automatically"),
    ],
)
def test_the_outcome_is_one_sentence(
    cast: Cast, rows: dict[str, Any], name: str, words: str
) -> None:
    assert words in page(cast, rows[name])


def test_issues_are_grouped_with_lines_and_what_was_found(cast: Cast, rows: dict[str, Any]) -> None:
    text = page(cast, rows["incomplete"])
    assert "23 times" in text
    assert "Line 1,204" in text
    assert "␣ada@ example.edu␣" in text
    assert "tab→here" in text
    assert "<script>window" not in text
    assert text.index("The cell is blank") < text.index("It was taken off")


def test_the_origin_is_told(cast: Cast, rows: dict[str, Any]) -> None:
    text = page(cast, rows["incomplete"])
    assert "harbor-sis" in text
    assert reverse("arrival", args=[rows["arrival"].uid]) in text


def test_a_running_job_has_a_progress_bar_and_is_live(cast: Cast, rows: dict[str, Any]) -> None:
    text = page(cast, rows["running"])
    assert re.search(r'<progress\s+class="bar"\s+max="100"\s+value="64"', text)
    assert 'hx-trigger="every 2s"' in text
    assert "hx-trigger" not in page(cast, rows["complete"])


def test_release_hands_the_agreed_plan_to_the_engine(cast: Cast, rows: dict[str, Any]) -> None:
    assert "Released" in act(cast, "job-release", rows["held"])
    job = fresh(rows["held"])
    assert (job.state, job.attempt, job.stage) == (State.READY, 0, "")
    assert job.released_plan == {
        "created": 2, "updated": 1, "unchanged": 0, "removed": 398, "rejected": 0,
        "holds": rows["held"].hold_reasons, "digests": None, "planned_at": ANY, "limits": {},
    }  # fmt: skip
    assert trail(job) == [("job.release", "manager@harbor.example")]
    with tenancy.everyone("a test looks"):
        last = JobEvent.objects.filter(job=job).latest("id")
    assert (last.state, last.actor) == (State.READY, "manager@harbor.example")


def test_discard_ends_a_held_job(cast: Cast, rows: dict[str, Any]) -> None:
    act(cast, "job-discard", rows["held"])
    assert fresh(rows["held"]).state == State.DISCARDED
    assert trail(rows["held"]) == [("job.discard", "manager@harbor.example")]


def test_the_second_of_two_decisions_changes_nothing_and_says_so(
    cast: Cast, rows: dict[str, Any]
) -> None:
    act(cast, "job-discard", rows["held"])
    assert "state has changed in the meantime" in act(cast, "job-release", rows["held"])
    assert fresh(rows["held"]).state == State.DISCARDED
    assert len(trail(rows["held"])) == 1


def test_a_plan_made_anew_is_not_released_by_an_old_decision(
    cast: Cast, rows: dict[str, Any]
) -> None:
    with tenancy.scope(cast.home.pk):
        ImportJob.objects.filter(pk=rows["held"].pk).update(token=9)
        with pytest.raises(actions.NotPossible):
            actions.release(rows["held"], cast.manager)
    assert fresh(rows["held"]).state == State.HELD


@pytest.mark.parametrize("name", ["complete", "failed", "running", "waiting"])
@pytest.mark.parametrize("action", ["job-release", "job-discard", "job-retry"])
def test_no_other_state_can_be_decided(
    cast: Cast, rows: dict[str, Any], name: str, action: str
) -> None:
    before = fresh(rows[name]).state
    assert "state has changed in the meantime" in act(cast, action, rows[name])
    assert fresh(rows[name]).state == before


def test_our_fault_can_be_tried_again(cast: Cast, rows: dict[str, Any]) -> None:
    assert "do not need to send it again" in page(cast, rows["our_fault"])
    act(cast, "job-retry", rows["our_fault"])
    job = fresh(rows["our_fault"])
    assert (job.state, job.fault, job.reason, job.asked_by) == (State.READY, "", "", "retry")
    assert job.user == cast.manager


def test_a_viewer_sees_no_button(cast: Cast, rows: dict[str, Any]) -> None:
    for name in ("held", "our_fault", "incomplete"):
        text = page(cast, rows[name], "viewer")
        assert reverse("job-release", args=[rows[name].uid]) not in text
        assert reverse("job-retry", args=[rows[name].uid]) not in text
        assert reverse("job-original", args=[rows[name].uid]) not in text


@pytest.mark.parametrize(
    ("address", "name", "content"),
    [
        ("job-attachment", "accounts-errors.csv", b"_line\r\n7\r\n"),
        ("job-original", "accounts.csv", b"A,B\r\n1,2\r\n"),
    ],
)
def test_a_file_is_downloaded_as_a_file_and_the_trail_tells(
    cast: Cast, rows: dict[str, Any], address: str, name: str, content: bytes
) -> None:
    job = rows["incomplete"]
    answer = as_person(cast, "manager").get(reverse(address, args=[job.uid]))
    assert answer.getvalue() == content
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream"
    assert trail(job) == [(address.replace("-", "."), ANY)]


def test_a_file_that_is_not_kept_any_more_is_not_found(cast: Cast, rows: dict[str, Any]) -> None:
    for name in ("job-attachment", "job-original"):
        answer = as_person(cast, "manager").get(reverse(name, args=[rows["complete"].uid]))
        assert answer.status_code == 404
    assert trail(rows["complete"]) == []


def test_arrivals_tell_each_decision_and_each_files_outcome(
    cast: Cast, rows: dict[str, Any]
) -> None:
    url = reverse("arrival", args=[rows["arrival"].uid])
    text = as_person(cast, "viewer").get(url).content.decode()
    assert "The file is not there" in text
    assert "differs in capital letters" in text
    assert "2 of 3 references are invalid" in text
    assert reverse("job", args=[rows["incomplete"].uid]) in text


def test_misplaced_files_stand_first_with_their_reason(cast: Cast, rows: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    rows = list(client.get(reverse("sightings")).context["page"])
    assert [row.verdict == "misplaced" for row in rows] == [True, True, False, False, False]
    answer = client.get(reverse("sightings"), {"verdict": "misplaced", "name": "accounts"})
    assert [row.path for row in answer.context["page"]] == ["accounts.csv"]
    assert "which is not imported" in answer.content.decode()


def test_a_delivery_is_found_by_the_name_of_a_file_in_it(cast: Cast, rows: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    arrivals = client.get(reverse("arrivals"), {"name": "courses.csv"}).context["page"]
    assert [arrival.name for arrival in arrivals] == ["nightly.done"]
    assert (arrivals[0].file_count, arrivals[0].problem_count) == (4, 2)
