"""The cast, for every test of the pages here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

if TYPE_CHECKING:
    from tests.cast import Cast


@pytest.fixture
def cast(db: None, settings: LazySettings, tmp_path: Path) -> Cast:
    """The cast on a stage of the test's own."""
    from tests import cast  # noqa: PLC0415  (pytest may load this file before the models)

    return cast.on_stage(settings, tmp_path)
