"""The list, an export's page, its runs and deliveries: what each says and what can be done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from exports import define, nights
from exports.models import Delivery, Export, ExportRun
from portal import tenancy
from tests.browser import seed_exports
from tests.browser.seed_exports import make_delivery, make_run
from tests.cast import Cast, as_person
from tests.exports.web.office import acts, get, make_export, post, server, words
from tests.exports.web.office import export as row


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed_exports.everything(cast, runs=60)


def test_an_empty_list_explains_and_offers_a_beginning(cast: Cast) -> None:
    page = words(get(cast, "exports"))
    assert "No exports yet" in page
    assert "New export" in page
    assert "Paste an SFTP address" in page
    assert "A tenant admin can create exports." in words(get(cast, "exports", person="viewer"))


def test_the_list_tells_the_next_night_the_last_run_and_the_last_nights(
    cast: Cast, rows: dict[str, Any]
) -> None:
    page = get(cast, "exports", person="viewer")
    assert "Events: courseCompletion" in words(page)
    assert "02:00 C" in words(page)
    assert "In progress" in words(page)
    assert "The last 14 nights: 1 given up, 1 failed, 1 will be retried" in page
    assert "New export" not in words(page)


def test_the_strip_has_sixty_nights_each_with_words(cast: Cast, rows: dict[str, Any]) -> None:
    page = get(cast, "export", rows["export"].uid, person="viewer")
    assert page.count('class="night') - page.count('class="night-sign') - page.count(
        'class="nights'
    ) == nights.STRIP  # fmt: skip
    assert ": Sent, 1,204 rows" in words(page)
    for word in ("Given up", "Failed", "Will be retried", "Nothing to send", "Not due"):
        assert f": {word}" in page


def test_a_night_that_has_no_run_leads_a_manager_to_make_its_file(
    cast: Cast, rows: dict[str, Any]
) -> None:
    uid = rows["stopped"].uid
    assert "#backfill" not in get(cast, "export", uid, person="viewer")
    assert "#backfill" in get(cast, "export", uid, person="manager")
    page = get(cast, "export", uid, person="manager", date="2026-11-01")
    assert page.count('value="2026-11-01"') == 2


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"state": "given_up"}, "Given up", "pill-good"),
        ({"state": "empty"}, "Nothing to send", "Send again"),
        ({"kind": "backfill"}, "No runs match this filter", "pill-good"),
        ({"since": "2999-01-01"}, "No runs match this filter", "pill-good"),
        ({"since": "never", "state": "no-such"}, "Enter a valid date.", "No runs match"),
    ],
)
def test_runs_are_filtered(
    cast: Cast, rows: dict[str, Any], query: dict[str, str], shown: str, hidden: str
) -> None:
    page = get(cast, "export", rows["export"].uid, **query)
    listed = page[page.index('id="export-live"') : page.index('id="what-title"')]
    assert shown in words(page[page.index('id="runs-title"') :])
    assert hidden not in listed


def test_runs_are_paged_newest_date_first(cast: Cast, rows: dict[str, Any]) -> None:
    page = words(get(cast, "export", rows["long"].uid))
    assert "1–25 of 60" in page  # noqa: RUF001
    assert "Page 1 of 3" in page


def test_run_now_makes_a_run_of_the_last_full_day_for_a_manager(cast: Cast) -> None:
    export = make_export(cast)
    answer = post(cast, "export-run", export.uid, person="manager")
    with tenancy.everyone("a test looks"):
        run = ExportRun.objects.get()
    assert answer.redirect_chain == [(reverse("run", args=[run.uid]), 302)]
    assert (run.kind, run.user) == (ExportRun.Kind.RERUN, cast.manager)
    assert run.local_date == define.newest_date(export, timezone.now())
    assert acts(cast)[-1] == "export.run"


def test_past_dates_are_filled_each_with_a_run(cast: Cast) -> None:
    export = make_export(cast)
    last = define.newest_date(export, timezone.now()) - timedelta(days=3)
    first = last - timedelta(days=59)
    post(cast, "export-backfill", export.uid, person="manager", first=first, last=last)
    with tenancy.everyone("a test looks"):
        assert ExportRun.objects.filter(kind=ExportRun.Kind.BACKFILL).count() == 60
    assert acts(cast)[-1] == "export.backfill"


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (-70, -1, "the maximum is 60 at a time"),
        (-1, 0, "The most recent complete day is"),
        (-2, -5, "The first day is after the last day."),
        ("soon", -1, "Enter a valid date."),
        ("", "", "This field is required."),
    ],
)
def test_a_bad_range_is_named_at_its_field(
    cast: Cast, first: int | str, last: int | str, message: str
) -> None:
    export = make_export(cast)
    today = define.newest_date(export, timezone.now()) + timedelta(days=1)

    def sent(value: int | str) -> str:
        return (today + timedelta(days=value)).isoformat() if isinstance(value, int) else value

    answer = post(cast, "export-backfill", export.uid, first=sent(first), last=sent(last))
    assert answer.status_code == 422
    assert message in words(answer)
    with tenancy.everyone("a test looks"):
        assert not ExportRun.objects.exists()


def test_an_export_is_started_and_stopped_and_both_are_audited(cast: Cast) -> None:
    place = server(cast)
    export = make_export(cast, **{"place-0-server": str(place.uid), "place-0-path": ""})
    post(cast, "export-started", export.uid, to="started")
    export = row(cast)
    assert export.started_on == define.newest_date(export, timezone.now()) + timedelta(days=1)
    assert "tomorrow 02:00" in words(get(cast, "exports")) or "today 02:00" in words(
        get(cast, "exports")
    )
    post(cast, "export-started", export.uid, to="stopped")
    assert row(cast).started_on is None
    assert acts(cast)[-2:] == ["export.start", "export.stop"]


def test_an_export_without_a_pinned_key_says_so(cast: Cast, rows: dict[str, Any]) -> None:
    page = words(get(cast, "export", rows["export"].uid))
    assert "No host key is pinned for Office" in page


def test_a_started_export_and_one_under_way_cannot_be_deleted(
    cast: Cast, rows: dict[str, Any]
) -> None:
    text = words(post(cast, "export-delete", rows["export"].uid))
    assert "Stop the export first" in text
    post(cast, "export-started", rows["export"].uid, to="stopped")
    text = words(post(cast, "export-delete", rows["export"].uid))
    assert "still on its way" in text
    with tenancy.everyone("a test looks"):
        assert Export.objects.filter(pk=rows["export"].pk).exists()


def test_a_deleted_export_takes_its_runs_and_files_with_it(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    export = make_export(cast)
    with tenancy.everyone("a test makes a run"):
        run = make_run(cast, export, define.newest_date(export, timezone.now()), "written")
        run.content = default_storage.save("exports/x.csv", ContentFile(b"x"))
        run.save(update_fields=["content"])
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(cast, "export-delete", export.uid)
    assert "were deleted" in words(answer)
    assert not default_storage.exists(run.content)
    with tenancy.everyone("a test looks"):
        assert not ExportRun.objects.exists()


def test_a_runs_page_tells_its_file_and_each_attempt(cast: Cast, rows: dict[str, Any]) -> None:
    page = get(cast, "run", rows["retrying"].uid, person="viewer")
    text = words(page)
    assert "Next attempt in " in text
    assert "4 of 11 attempts were made." in text
    assert "Connecting" in text
    assert rows["retrying"].sha256 in text
    assert "Late rows" in text
    assert "A data manager can download the file." in text
    assert "<script>window.hacked" not in page
    assert 'hx-trigger="every 5s"' in page


def test_a_settled_run_is_not_asked_about_again(cast: Cast, rows: dict[str, Any]) -> None:
    assert "data-live" not in get(cast, "run", rows["sent"].uid)


def test_a_given_up_delivery_is_an_open_incident_with_a_way_out(
    cast: Cast, rows: dict[str, Any]
) -> None:
    page = words(get(cast, "run", rows["given_up"].uid, person="manager"))
    assert "Open incident" in page
    assert "Acknowledge" in page
    assert "Send again" in page
    seen = words(get(cast, "run", rows["given_up"].uid, person="viewer"))
    assert "Open incident" in seen
    assert "Send again" not in seen


def test_open_incidents_are_counted_in_the_menu_and_come_first(
    cast: Cast, rows: dict[str, Any]
) -> None:
    page = get(cast, "deliveries", person="viewer")
    assert words(page).count("2 open incidents") >= 1
    listed = page[page.index('id="deliveries-live"') :]
    assert listed.index("pill-bad") < listed.index("pill-good")
    assert listed.count("stands-out") == 2
    assert "open incident" not in words(get(cast, "jobs", person="outsider"))


@pytest.mark.parametrize(
    ("query", "count"),
    [({"state": "incident"}, 2), ({"state": "unfinished"}, 1), ({"state": "cancelled"}, 1)],
)
def test_deliveries_are_filtered_by_state(
    cast: Cast, rows: dict[str, Any], query: dict[str, str], count: int
) -> None:
    page = get(cast, "deliveries", **query)
    assert page.count('class="file"') == count


def test_deliveries_are_filtered_by_server_and_day(cast: Cast, rows: dict[str, Any]) -> None:
    other = str(rows["other"].uid)
    assert "No deliveries match this filter" in get(cast, "deliveries", server=other)
    assert "No deliveries match this filter" in get(cast, "deliveries", until="2001-01-01")
    assert 'class="file"' in get(cast, "deliveries", server=str(rows["server"].uid))


def test_a_manager_downloads_the_frozen_file_and_it_is_audited(
    cast: Cast, rows: dict[str, Any]
) -> None:
    run = rows["sent"]
    answer = as_person(cast, "manager").get(reverse("run-file", args=[run.uid]))
    assert b"".join(answer.streaming_content) == b"id,title\r\n1,Welcome\r\n"  # type: ignore[attr-defined]
    assert run.file_name in answer["Content-Disposition"]
    assert acts(cast) == ["export.download"]
    assert as_person(cast, "viewer").get(reverse("run-file", args=[run.uid])).status_code == 403


def test_a_file_that_is_no_longer_kept_is_not_there(cast: Cast, rows: dict[str, Any]) -> None:
    with tenancy.everyone("a test ages a file"):
        past = timezone.now() - timedelta(days=1)
        ExportRun.objects.filter(pk=rows["sent"].pk).update(kept_until=past)
    address = reverse("run-file", args=[rows["sent"].uid])
    assert as_person(cast, "manager").get(address).status_code == 404
    assert "no longer kept" in words(get(cast, "run", rows["sent"].uid))


@pytest.mark.parametrize("name", ["export", "run"])
def test_another_tenants_pages_are_not_there(cast: Cast, rows: dict[str, Any], name: str) -> None:
    address = reverse(name, args=[rows[name].uid])
    assert as_person(cast, "outsider").get(address).status_code == 404


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "written"),
        (["delivered", "delivered"], "sent"),
        (["delivered", "retrying"], "retrying"),
        (["given_up", "retrying"], "given_up"),
        (["refused", "delivered"], "given_up"),
        (["sending", "delivered"], "running"),
        (["cancelled", "delivered"], "cancelled"),
    ],
)
def test_a_nights_state_is_the_gravest_of_its_deliveries(
    cast: Cast, states: list[str], expected: str
) -> None:
    export = make_export(cast)
    with tenancy.everyone("a test makes a run"):
        run = make_run(cast, export, define.newest_date(export, timezone.now()), "written")
        for number, state in enumerate(states):
            make_delivery(cast, run, server(cast, f"Server {number}"), state)
        assert nights.state_of(run) == expected
        assert Delivery.objects.count() == len(states)
