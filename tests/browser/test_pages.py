"""The pages in a real browser: accessible, quiet, within the width, and safe from their rows."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from imports.models import ArrivalFile, ImportJob
from portal import tenancy
from tests.browser.conftest import Visit
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.browser

# Only what is wrong comes back: what passes is many megabytes on a long page.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
LOOKS = [
    pytest.param({"color_scheme": "light", "viewport": {"width": 1360, "height": 900}}, id="light"),
    pytest.param({"color_scheme": "dark", "viewport": {"width": 1360, "height": 900}}, id="dark"),
    pytest.param({"color_scheme": "light", "viewport": {"width": 390, "height": 844}}, id="phone"),
]


def every_page(cast: Cast, seeded: dict[str, Any]) -> list[str]:
    jobs = ("complete", "incomplete", "failed", "our_fault", "held", "running", "hostile", "long")
    return [
        reverse("jobs"),
        reverse("jobs") + "?name=nothing-like-this",
        *(reverse("job", args=[seeded[name].uid]) for name in jobs),
        reverse("job-undo", args=[seeded["complete"].uid]),
        reverse("job-undo", args=[seeded["held"].uid]),
        reverse("templates"),
        reverse("templates") + "?name=nothing-like-this",
        reverse("template", args=[seeded["template"].uid]),
        reverse("lookups"),
        reverse("lookup", args=[seeded["lookup"].uid]),
        reverse("arrivals"),
        reverse("arrival", args=[seeded["arrival"].uid]),
        reverse("arrival", args=[seeded["unmatched"].uid]),
        reverse("sightings"),
        reverse("folders"),
        reverse("folder", args=[seeded["arrival"].drop_id]),
        reverse("records"),
        reverse("record-type", args=["accounts"]),
        reverse("record-type", args=["courses"]),
        reverse("record", args=["accounts", seeded["record"].pk]),
        reverse("events"),
        reverse("events") + "?type=nothing-like-this",
        reverse("event", args=[seeded["event"].pk]),
        reverse("tokens"),
        reverse("trail"),
        reverse("trail") + "?who=nobody-like-this",
        reverse("accounts"),
        reverse("account", args=[cast.account.pk]),
        reverse("mail"),
        reverse("import-new"),
        *(
            reverse(f"draft-{step}", args=[seeded["draft"].uid])
            for step in ("choose", "settings", "file", "map", "columns", "check", "finish")
        ),
        reverse("draft-field", args=[seeded["draft"].uid, 2]),
        reverse("system"),
    ]


def faults(visit: Visit) -> list[str]:
    """What axe finds on the page, and whether it is wider than the window or ran foreign script."""
    problems = [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in Axe().run(visit.page, options=RULES).response["violations"]
    ]
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    if (beyond := visit.page.evaluate(wide)) > 0:
        problems.append(f"{beyond} px wider than the window")
    if visit.page.evaluate("window.hacked !== undefined"):
        problems.append("a row's text ran as script")
    return problems


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
def test_every_page_is_accessible_quiet_and_within_the_width(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    visit.go("/login/")
    problems = {"/login/": faults(visit)}
    visit.log_in(cast.operator.email, PASSWORD)
    for path in every_page(cast, seeded):
        page = visit.go(path)
        assert page.locator("h1").count() == 1, path
        assert page.title().endswith("Causeway"), path
        problems[path] = faults(visit)
    assert {path: those for path, those in problems.items() if those} == {}
    assert visit.complaints == []


def test_an_empty_tenant_is_shown_how_to_begin(visit: Visit, cast: Cast) -> None:
    visit.log_in(cast.outsider.email, PASSWORD)
    assert visit.page.get_by_text("No files have arrived yet").is_visible()
    assert faults(visit) == []
    assert visit.complaints == []


def test_the_look_is_chosen_and_remembered(visit: Visit, cast: Cast) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    look = visit.page.locator("html")
    assert look.get_attribute("data-bs-theme") == "light"
    visit.page.get_by_role("button", name="Dark appearance").click()
    assert look.get_attribute("data-bs-theme") == "dark"
    visit.page.reload()
    assert look.get_attribute("data-bs-theme") == "dark"
    pressed = visit.page.get_by_role("button", name="Dark appearance")
    assert pressed.get_attribute("aria-pressed") == "true"


def test_a_running_job_moves_by_itself_until_it_is_done(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    job = seeded["running"]
    visit.go(reverse("job", args=[job.uid]))
    assert visit.page.get_by_role("progressbar").get_attribute("value") == "64"
    with tenancy.everyone("a test moves a job on"):
        mine = ImportJob.objects.filter(pk=job.pk)
        mine.update(bytes_read=job.file_size * 9 // 10)
        visit.page.wait_for_selector("progress[value='90'], progress[value='89']")
        mine.update(state=ImportJob.State.COMPLETE, rows_read=9, rows_created=9)
    visit.page.locator(".big", has_text="All 9 rows were accepted").wait_for()
    assert visit.page.get_by_role("progressbar").count() == 0
    assert "Complete" in (visit.page.locator("#live-words").text_content() or "")
    assert visit.complaints == []


def test_the_filter_works_while_typing_and_the_address_can_be_shared(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    visit.page.get_by_label("File name").press_sequentially("academic_te")
    visit.page.wait_for_url("**name=academic_te**")
    visit.page.locator("a.file", has_text="academic_terms.csv").wait_for()
    assert visit.page.locator("a.file").count() == 1
    visit.page.reload()
    assert visit.page.get_by_label("File name").input_value() == "academic_te"
    assert visit.page.locator("a.file").count() == 1


def test_a_held_job_is_released_with_the_keyboard_alone(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    visit.log_in(cast.manager.email, PASSWORD)
    page = visit.go(reverse("job", args=[seeded["held"].uid]))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    for _press in range(12):
        page.keyboard.press("Tab")
        if "Release" in page.evaluate("document.activeElement.textContent"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Yes, release it"
    page.keyboard.press("Enter")
    page.get_by_text("Released. The import continues").wait_for()


def test_a_folders_limits_are_changed_and_its_held_file_is_run_again_with_the_keyboard(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    held = seeded["held"]
    with tenancy.everyone("a test gives the held job a folder"):
        file = ArrivalFile.objects.create(
            tenant=cast.home, arrival=seeded["arrival"], index=99, name=held.file_name, source="99"
        )
        ImportJob.objects.filter(pk=held.pk).update(arrival_file=file)
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go(reverse("job", args=[held.uid]))
    page.get_by_role("link", name="The limits of this folder").press("Enter")
    page.get_by_label("Records removed").press_sequentially("100%")
    page.keyboard.press("Enter")
    page.get_by_text("Saved. It applies to the next file").wait_for()
    assert page.get_by_label("Records removed").input_value() == "100%"
    page.get_by_role("link", name=held.file_name).press("Enter")
    page.get_by_text("The limits of the folder were changed after this plan").wait_for()
    assert faults(visit) == []
    page.locator("summary", has_text="Run again").press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Yes, run it again"
    page.keyboard.press("Enter")
    page.get_by_text("The file is read again in a moment.").wait_for()
    assert visit.complaints == []


def test_a_poll_leaves_the_focus_where_it_is(
    visit: Visit, cast: Cast, seeded: dict[str, Any]
) -> None:
    visit.log_in(cast.viewer.email, PASSWORD)
    link = visit.page.locator("a.file").nth(3)
    link.focus()
    before = visit.page.evaluate("document.activeElement.id")
    with tenancy.everyone("a test moves a job on"):
        ImportJob.objects.filter(pk=seeded["running"].pk).update(rows_read=311_999)
    visit.page.get_by_text("311,999 rows").wait_for()
    assert visit.page.evaluate("document.activeElement.id") == before


def test_pages_work_without_script(browser: Any, live_server: Any, cast: Cast) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context.new_page(), live_server.url)
    visit.log_in(cast.operator.email, PASSWORD)
    visit.page.get_by_label("Institution").select_option("Outer College")
    visit.page.get_by_role("button", name="Change").click()
    assert "Outer College" in visit.page.title()
    context.close()
