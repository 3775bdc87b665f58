"""A person at the pages, for the tests of the wizard and of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

if TYPE_CHECKING:
    from tests.imports.institution import Institution
    from tests.imports.web.desk import Desk


@pytest.fixture
def desk(institution: Institution, settings: LazySettings, tmp_path: Path) -> Iterator[Desk]:
    """A person at the pages whose rows are really committed, for the engine to see them."""
    from tests.imports.web.desk import Desk  # noqa: PLC0415

    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    desk = Desk(institution)
    try:
        yield desk
    finally:
        desk.leave()
