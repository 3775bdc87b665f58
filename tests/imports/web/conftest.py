"""The cast, for every test of the pages here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

if TYPE_CHECKING:
    from tests.cast import Cast
    from tests.imports.institution import Institution
    from tests.imports.web.desk import Desk


@pytest.fixture
def cast(db: None, settings: LazySettings, tmp_path: Path) -> Cast:
    """The cast on a stage of the test's own."""
    from tests import cast  # noqa: PLC0415  (pytest may load this file before the models)

    return cast.on_stage(settings, tmp_path)


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
