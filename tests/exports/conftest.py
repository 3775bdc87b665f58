"""An institution with events whose rows are really committed: snapshots are the point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

if TYPE_CHECKING:
    from tests.exports.house import House


@pytest.fixture
def house(transactional_db: None, settings: LazySettings, tmp_path: Path) -> Iterator[House]:
    """An institution of its own, in scope, with files of the test's own; nothing of it is left."""
    # Models can be loaded when Django is set up, which is after this file is read.
    from tests.exports.house import committed  # noqa: PLC0415

    settings.MEDIA_ROOT = tmp_path / "files"
    settings.SPOOL_DIR = tmp_path / "spool"
    with committed() as house:
        yield house
