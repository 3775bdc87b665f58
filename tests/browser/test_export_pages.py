"""The export pages in a real browser: accessible, quiet, within the width, by keyboard and live."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from exports.models import Delivery
from portal import tenancy
from tests.browser import seed_exports
from tests.browser.conftest import Visit
from tests.browser.test_pages import LOOKS, faults
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.browser


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed_exports.everything(cast)


def every_page(rows: dict[str, Any]) -> list[str]:
    runs = ("sent", "retrying", "given_up", "refused", "empty", "failed", "cancelled", "running")
    return [
        reverse("exports"),
        reverse("export-new"),
        reverse("export-change", args=[rows["export"].uid]),
        *(reverse("export", args=[rows[name].uid]) for name in ("export", "long", "stopped")),
        reverse("export", args=[rows["long"].uid]) + "?page=3",
        reverse("export", args=[rows["long"].uid]) + "?state=failed",
        *(reverse("run", args=[rows[name].uid]) for name in runs),
        reverse("deliveries"),
        reverse("deliveries") + "?state=sending",
        reverse("servers"),
        reverse("server-new"),
        *(reverse("server", args=[rows[name].uid]) for name in ("server", "other")),
    ]


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
def test_every_export_page_is_accessible_quiet_and_within_the_width(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.admin.email, PASSWORD)
    problems = {}
    for path in every_page(rows):
        page = visit.go(path)
        assert page.locator("h1").count() == 1, path
        assert page.title().endswith("Causeway"), path
        problems[path] = faults(visit)
    assert {path: those for path, those in problems.items() if those} == {}
    assert visit.complaints == []


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
def test_the_columns_editor_is_accessible_and_within_the_width(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("export-change", args=[rows["export"].uid]))
    page.get_by_role("button", name="Change the columns").click()
    page.locator("#column-0-name").wait_for()
    page.locator("#column-1-value").fill("userdetail.firstname")
    page.keyboard.press("Tab")
    page.get_by_text("Did you mean userDetail.firstName?").wait_for()
    assert faults(visit) == []
    assert visit.complaints == []


def test_an_empty_tenant_is_shown_how_to_begin_exporting(visit: Visit, cast: Cast) -> None:
    visit.log_in(cast.outsider.email, PASSWORD)
    for name in ("exports", "deliveries", "servers"):
        visit.go(reverse(name))
        assert faults(visit) == []
    assert visit.go(reverse("exports")).get_by_text("No exports yet").is_visible()
    assert visit.complaints == []


def test_columns_are_moved_and_removed_with_the_keyboard_and_the_focus_goes_along(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("export-change", args=[rows["export"].uid]))
    page.get_by_role("button", name="Change the columns").press("Enter")
    page.locator("#column-0-name").wait_for()
    page.get_by_role("button", name="Move column 1 down").press("Enter")
    page.locator("#column-1-name[value=id]").wait_for()
    page.locator("#column-down-1:focus").wait_for()
    page.keyboard.press("Enter")
    page.locator("#column-2-name[value=id]").wait_for()
    page.locator("#column-down-2:focus").wait_for()
    page.get_by_role("button", name="Remove column 1", exact=True).press("Enter")
    page.locator("#column-1-name[value=id]").wait_for()
    page.get_by_role("button", name="Add a column").press("Enter")
    page.locator("#column-18-name:focus").wait_for()
    page.keyboard.type("School")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Harbor")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    with tenancy.everyone("a test looks"):
        rows["export"].refresh_from_db()
    assert rows["export"].columns[1] == {"name": "id", "path": "id"}
    assert rows["export"].columns[-1] == {"name": "School", "constant": "Harbor"}
    assert visit.complaints == []


def test_the_file_name_is_previewed_while_typing(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("export-new"))
    page.get_by_label("courseCompletion").check()
    field = page.get_by_label("File name")
    field.fill("")
    field.press_sequentially("{event}.of.{date:%Y}")
    preview = page.locator("#name-preview")
    preview.get_by_text("would be the same every night").wait_for()
    field.press_sequentially("{random}")
    preview.get_by_text("courseCompletion.of.20").wait_for()
    page.get_by_label("Compression").select_option("gzip")
    preview.get_by_text(".csv.gz").wait_for()
    assert visit.complaints == []


def test_the_form_shows_the_fields_of_the_source_that_is_chosen(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("export-new"))
    assert not page.get_by_label("Record type").is_visible()
    page.get_by_label("Records: what is stored").check()
    assert not page.get_by_label("Other event types").is_visible()
    page.get_by_label("Record type").select_option("accounts")
    page.locator("#columns").get_by_text("PersonIdentifier").wait_for()
    assert visit.complaints == []


def test_a_night_is_reached_and_opened_with_the_keyboard(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    page = visit.go(reverse("export", args=[rows["export"].uid]))
    page.locator(".nights .skip-inline").focus()
    assert page.locator(".nights .skip-inline").is_visible()
    page.keyboard.press("Tab")
    assert "Sent" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_url("**/exports/runs/**")


def test_a_run_that_is_tried_again_moves_by_itself_until_it_is_there(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    page = visit.go(reverse("run", args=[rows["retrying"].uid]))
    shown = page.locator(".countdown strong")
    before = shown.text_content()
    page.locator(".countdown strong", has_not_text=before or "").wait_for()
    with tenancy.everyone("a test delivers"):
        Delivery.objects.filter(run=rows["retrying"]).update(
            state=Delivery.State.DELIVERED, delivered_at=timezone.now()
        )
        page.locator(".big", has_text="The file reached every destination.").wait_for()
    assert "Sent" in (page.locator("#live-words").text_content() or "")
    assert visit.complaints == []


def test_a_poll_does_not_close_what_somebody_is_about_to_confirm(
    visit: Visit, cast: Cast, rows: dict[str, Any]
) -> None:
    visit.log_in(cast.manager.email, PASSWORD)
    page = visit.go(reverse("run", args=[rows["retrying"].uid]))
    page.get_by_text("Cancel…").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ticks = "window.ticks = 0; document.addEventListener('htmx:beforeRequest', () => ticks++)"
    page.evaluate(ticks)
    while page.evaluate("window.ticks") < 2:
        page.evaluate("new Promise(requestAnimationFrame)")
    assert asked == []
    assert page.get_by_role("button", name="Yes, cancel it").is_visible()


def test_the_export_form_works_without_script(
    browser: Any, live_server: Any, cast: Cast, rows: dict[str, Any]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context.new_page(), live_server.url)
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("export-new"))
    page.get_by_label("Name", exact=True).fill("Without script")
    page.get_by_label("courseCompletion").check()
    page.get_by_role("button", name="Change the columns").click()
    page.get_by_role("button", name="Remove column 1", exact=True).click()
    page.get_by_role("button", name="Add a destination").click()
    page.get_by_label("Server").select_option("District SIS")
    page.get_by_role("button", name="Save and start").click()
    page.get_by_role("heading", name="Without script").wait_for()
    assert page.get_by_text("Started").first.is_visible()
    context.close()
