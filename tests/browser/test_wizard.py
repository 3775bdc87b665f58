"""The wizard from the first step to a saved template: keyboard alone, phone width, axe clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from imports.jobs import pipeline, queue
from imports.models import ImportDraft, ImportTemplate
from portal import tenancy
from portal.models import Record
from tests.browser.conftest import Visit
from tests.browser.test_pages import faults
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.browser

PHONE = {"color_scheme": "light", "viewport": {"width": 390, "height": 844}}
FILE = (
    "Report of the school\n\n"
    "Person ID;Given name;Surname;E-mail;Shoe size\n"
    "0001;Ada;LOVELACE;ada@example.edu;38\n"
    "0002;Emmy;NOETHER;emmy@example.edu;39\n"
    "0003;Alan;TURING;not an address;44\n"
)


def focused(page: Page) -> str:
    script = """() => { const e = document.activeElement;
      if (e === document.body) return "";
      return [e.id, e.name, e.textContent, e.labels?.[0]?.textContent].join("|") }"""
    return " ".join(str(page.evaluate(script)).split())


def tab_to(page: Page, words: str, most: int = 120) -> None:
    """Press Tab until what has the focus says the words."""
    for _press in range(most):
        page.keyboard.press("Tab")
        if words in focused(page):
            return
    raise AssertionError(f"{words!r} cannot be reached by keyboard; last: {focused(page)!r}")


def press(page: Page, words: str) -> None:
    """Reach a button or link and press Enter; the next page has come afterwards."""
    tab_to(page, words)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def work(cast: Cast) -> None:
    """The worker's part."""
    with tenancy.scope(cast.home.pk):
        while job := queue.next_job(cast.home.pk):
            pipeline.run(job)


@pytest.mark.parametrize("visit", [pytest.param(PHONE, id="phone")], indirect=True)
def test_the_whole_wizard_by_keyboard_alone(visit: Visit, cast: Cast, tmp_path: Path) -> None:
    page, problems = visit.page, {}

    def looked(step: str) -> None:
        problems[step] = faults(visit)

    visit.log_in(cast.admin.email, PASSWORD)
    press(page, "New import")
    looked("choose")
    tab_to(page, "feed")
    page.keyboard.press("Space")
    while not page.locator("#feed-accounts").is_checked():
        page.keyboard.press("ArrowDown")
    press(page, "Next: settings")
    looked("settings")
    tab_to(page, "Rows rejected")
    page.keyboard.type("50")
    press(page, "Next: the file")

    path = tmp_path / "people.csv"
    path.write_text(FILE)
    tab_to(page, "upload|file")
    page.locator("#upload").set_input_files(path)  # the system's own dialog cannot be driven
    press(page, "Upload")
    looked("file")
    assert page.locator("#id_skip_rows").input_value() == "2"
    tab_to(page, "id_skip_rows")
    page.keyboard.press("ArrowDown")
    page.locator("#preview th", has_text="Person ID").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator("#preview th", has_text="Report of the school").wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.locator("#preview th", has_text="Person ID").wait_for()
    press(page, "Next: the columns")

    looked("map")
    assert page.get_by_text("Every required field has a column").is_visible()
    press(page, "Change values… LastName")
    tab_to(page, "kind|kind")
    page.keyboard.type("Uppercase")
    press(page, "Add")
    tab_to(page, "s0-to")
    page.keyboard.type("Title Case")
    press(page, "Save and show")
    page.locator(".tried", has_text="Lovelace").wait_for()
    looked("field")
    press(page, "Done with this field")
    press(page, "By column")
    looked("columns")
    page.go_back()
    press(page, "Save and validate")
    work(cast)
    page.get_by_text("3 rows were read. Nothing was written").wait_for()
    looked("validate")
    page.locator("mark.cell", has_text="not an address").wait_for()
    press(page, "Next: process or save")
    looked("finish")
    press(page, "Save the template")
    page.get_by_text("Saved as template “people”, version 1").wait_for()
    press(page, "Process the file")
    work(cast)
    page.get_by_text("1 of 3 rows").wait_for()
    with tenancy.everyone("a test looks"):
        names = {r.data["LastName"] for r in Record.objects.filter(tenant=cast.home)}
        assert names == {"Lovelace", "Noether"}
        assert ImportTemplate.objects.get().file_names == ["people.csv"]
        assert ImportDraft.objects.count() == 1
    assert {step: those for step, those in problems.items() if those} == {}
    # A poll that is under way while the next page comes is cut off; htmx says so in two lines.
    cut_off = ("htmx:sendAbort", "htmx:afterRequest")
    assert [line for line in visit.complaints if not line.startswith(cut_off)] == []


def test_the_wizard_works_without_script(
    browser: Any, live_server: Any, cast: Cast, tmp_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context.new_page(), live_server.url)
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go("/imports/new/")
    page.locator("#feed-accounts").check()
    page.get_by_role("button", name="Next: settings").click()
    page.get_by_role("button", name="Next: the file").click()
    path = tmp_path / "people.csv"
    path.write_text(FILE)
    page.locator("#upload").set_input_files(path)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.locator("#id_skip_rows").fill("0")
    page.get_by_role("button", name="Save and show").click()
    page.locator("#preview th", has_text="Report of the school").wait_for()
    page.locator("#id_skip_rows").fill("2")
    page.get_by_role("button", name="Next: the columns").click()
    page.get_by_role("button", name="Save and validate").click()
    work(cast)
    page.reload()
    page.get_by_text("3 rows were read").wait_for()
    context.close()
