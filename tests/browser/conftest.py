"""A real Chromium at a live server with seeded rows; skipped where there is no Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import LazySettings
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from tests.cast import Cast, Prepared

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium a module. Playwright's loop would make Django refuse the database."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("There is no Chromium: apt-get install chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def cast(
    prepared_cast: Prepared, transactional_db: None, settings: LazySettings, tmp_path: Path
) -> Cast:
    """The cast, committed, for the server's threads to see."""
    return prepared_cast.on_stage(settings, tmp_path)


@pytest.fixture
def seeded(cast: Cast) -> dict[str, Any]:
    """Rows of every kind."""
    from tests.browser import seed  # noqa: PLC0415

    return seed.everything(cast)


class Visit:
    """A page in a browser, with all that it complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def log_in(self, email: str, password: str) -> None:
        self.page.goto(f"{self.address}/login/")
        self.page.fill("#id_username", email)
        self.page.fill("#id_password", password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/jobs/")

    def go(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def visit(browser: Browser, live_server: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A fresh browser window; parametrize it indirectly with the context's options."""
    context = browser.new_context(**getattr(request, "param", {}))
    context.set_default_timeout(15_000)
    yield Visit(context.new_page(), live_server.url)
    context.close()
