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
def made(cast: Cast) -> dict[str, Any]:
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
        found = AuditEntry.objects.filter(subject=str(job.uid)).order_by("id")
        return [(entry.action, entry.user.email if entry.user else "") for entry in found]


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
    cast: Cast, made: dict[str, Any], name: str, words: str
) -> None:
    assert words in page(cast, made[name])


def test_issues_are_grouped_with_lines_and_what_was_found(cast: Cast, made: dict[str, Any]) -> None:
    text = page(cast, made["incomplete"])
    assert "23 times" in text
    assert "Line 1,204" in text
    assert "␣ada@ example.edu␣" in text
    assert "tab→here" in text
    assert "<script>window" not in text
    assert text.index("The cell is blank") < text.index("It was taken off")


def test_the_origin_is_told(cast: Cast, made: dict[str, Any]) -> None:
    text = page(cast, made["incomplete"])
    assert "harbor-sis" in text
    assert reverse("arrival", args=[made["arrival"].uid]) in text


def test_a_running_job_has_a_progress_bar_and_is_live(cast: Cast, made: dict[str, Any]) -> None:
    text = page(cast, made["running"])
    assert re.search(r'<progress\s+class="bar"\s+max="100"\s+value="64"', text)
    assert 'hx-trigger="every 2s"' in text
    assert "hx-trigger" not in page(cast, made["complete"])


def test_release_hands_the_agreed_plan_to_the_engine(cast: Cast, made: dict[str, Any]) -> None:
    assert "Released" in act(cast, "job-release", made["held"])
    job = fresh(made["held"])
    assert (job.state, job.attempt, job.stage) == (State.READY, 0, "")
    assert job.released_plan == {
        "created": 2, "updated": 1, "unchanged": 0, "removed": 398, "rejected": 0,
        "holds": made["held"].hold_reasons,
    }  # fmt: skip
    assert trail(job) == [("job.release", "manager@harbor.example")]
    with tenancy.everyone("a test looks"):
        last = JobEvent.objects.filter(job=job).latest("id")
    assert (last.state, last.actor) == (State.READY, "manager@harbor.example")


def test_discard_ends_a_held_job(cast: Cast, made: dict[str, Any]) -> None:
    act(cast, "job-discard", made["held"])
    assert fresh(made["held"]).state == State.DISCARDED
    assert trail(made["held"]) == [("job.discard", "manager@harbor.example")]


def test_the_second_of_two_decisions_changes_nothing_and_says_so(
    cast: Cast, made: dict[str, Any]
) -> None:
    act(cast, "job-discard", made["held"])
    assert "state has changed in the meantime" in act(cast, "job-release", made["held"])
    assert fresh(made["held"]).state == State.DISCARDED
    assert len(trail(made["held"])) == 1


def test_a_plan_made_anew_is_not_released_by_an_old_decision(
    cast: Cast, made: dict[str, Any]
) -> None:
    with tenancy.scope(cast.home.pk):
        ImportJob.objects.filter(pk=made["held"].pk).update(token=9)
        with pytest.raises(actions.NotPossible):
            actions.release(made["held"], cast.manager)
    assert fresh(made["held"]).state == State.HELD


@pytest.mark.parametrize("name", ["complete", "failed", "running", "waiting"])
@pytest.mark.parametrize("action", ["job-release", "job-discard", "job-retry"])
def test_no_other_state_can_be_decided(
    cast: Cast, made: dict[str, Any], name: str, action: str
) -> None:
    before = fresh(made[name]).state
    assert "state has changed in the meantime" in act(cast, action, made[name])
    assert fresh(made[name]).state == before


def test_our_fault_can_be_tried_again(cast: Cast, made: dict[str, Any]) -> None:
    assert "do not need to send it again" in page(cast, made["our_fault"])
    act(cast, "job-retry", made["our_fault"])
    job = fresh(made["our_fault"])
    assert (job.state, job.fault, job.reason, job.asked_by) == (State.READY, "", "", "retry")
    assert job.user == cast.manager


def test_a_viewer_sees_no_button(cast: Cast, made: dict[str, Any]) -> None:
    for name in ("held", "our_fault", "incomplete"):
        text = page(cast, made[name], "viewer")
        assert reverse("job-release", args=[made[name].uid]) not in text
        assert reverse("job-retry", args=[made[name].uid]) not in text
        assert reverse("job-original", args=[made[name].uid]) not in text


@pytest.mark.parametrize(
    ("address", "name", "content"),
    [
        ("job-attachment", "accounts-errors.csv", b"_line\r\n7\r\n"),
        ("job-original", "accounts.csv", b"A,B\r\n1,2\r\n"),
    ],
)
def test_a_file_is_downloaded_as_a_file_and_the_trail_tells(
    cast: Cast, made: dict[str, Any], address: str, name: str, content: bytes
) -> None:
    job = made["incomplete"]
    answer = as_person(cast, "manager").get(reverse(address, args=[job.uid]))
    assert answer.getvalue() == content
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream"
    assert trail(job) == [(address.replace("-", "."), ANY)]


def test_a_file_that_is_not_kept_any_more_is_not_found(cast: Cast, made: dict[str, Any]) -> None:
    for name in ("job-attachment", "job-original"):
        answer = as_person(cast, "manager").get(reverse(name, args=[made["complete"].uid]))
        assert answer.status_code == 404
    assert trail(made["complete"]) == []


def test_arrivals_tell_each_decision_and_each_files_outcome(
    cast: Cast, made: dict[str, Any]
) -> None:
    url = reverse("arrival", args=[made["arrival"].uid])
    text = as_person(cast, "viewer").get(url).content.decode()
    assert "The file is not there" in text
    assert "differs in capital letters" in text
    assert "2 of 3 references are invalid" in text
    assert reverse("job", args=[made["incomplete"].uid]) in text


def test_misplaced_files_stand_first_with_their_reason(cast: Cast, made: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    rows = list(client.get(reverse("sightings")).context["page"])
    assert [row.verdict == "misplaced" for row in rows] == [True, True, False, False, False]
    found = client.get(reverse("sightings"), {"verdict": "misplaced", "name": "accounts"})
    assert [row.path for row in found.context["page"]] == ["accounts.csv"]
    assert "which is not imported" in found.content.decode()


def test_a_delivery_is_found_by_the_name_of_a_file_in_it(cast: Cast, made: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    found = client.get(reverse("arrivals"), {"name": "courses.csv"}).context["page"]
    assert [arrival.name for arrival in found] == ["nightly.done"]
    assert (found[0].file_count, found[0].problem_count) == (4, 2)
