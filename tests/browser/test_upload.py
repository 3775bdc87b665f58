"""A large upload on a slow line: its progress, stopping it, and what the portal answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page

from imports.models import ImportDraft
from portal import tenancy
from tests.browser.conftest import Visit
from tests.browser.test_pages import faults
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.browser

ROW = "0001;Ada;Lovelace;ada@example.edu\n"


def line(page: Page, bytes_a_second: int) -> None:
    """How much the browser may send; -1 for as much as it can."""
    session: Any = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1,
         "uploadThroughput": bytes_a_second},
    )  # fmt: skip


@pytest.fixture
def at_the_file(visit: Visit, cast: Cast, tmp_path: Path) -> Page:
    """The wizard's step of the file, with a file of 6 MB chosen."""
    path = tmp_path / "people.csv"
    path.write_text("Person ID;First;Last;E-mail\n" + ROW * (6_000_000 // len(ROW)))
    visit.log_in(cast.admin.email, PASSWORD)
    page = visit.go("/imports/new/")
    page.locator("#feed-accounts").check()
    page.get_by_role("button", name="Next: settings").click()
    page.get_by_role("button", name="Next: the file").click()
    page.locator("#upload").set_input_files(path)
    return page


def upload(page: Page) -> None:
    page.get_by_role("button", name="Upload", exact=True).click()


def test_an_upload_shows_how_far_it_is_and_can_be_stopped_and_sent_again(
    visit: Visit, at_the_file: Page
) -> None:
    page = at_the_file
    line(page, 500_000)
    upload(page)
    page.get_by_text(re.compile(r"\d+ % · [\d.]+ MB of 6 MB · about \d+ sec left")).wait_for()
    assert page.get_by_role("button", name="Upload", exact=True).is_disabled()
    assert faults(visit) == []
    page.get_by_role("button", name="Stop the upload").click()
    page.get_by_text("You stopped the upload. Nothing was kept.").first.wait_for()

    line(page, -1)
    upload(page)
    page.locator("#preview", has_text="Lovelace").wait_for()
    with tenancy.everyone("a test looks"):
        assert ImportDraft.objects.get().file_name == "people.csv"
    assert visit.complaints == []


def test_what_the_portal_refuses_is_shown_with_the_reason(
    visit: Visit, at_the_file: Page, settings: LazySettings
) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000
    upload(at_the_file)
    at_the_file.get_by_text("The file is larger than").wait_for()
    at_the_file.get_by_role("button", name="Upload", exact=True).wait_for()
    assert faults(visit) == []
