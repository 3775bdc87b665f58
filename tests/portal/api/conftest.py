"""Two institutions with committed rows, and programs with tokens of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.portal.api.callers import Callers


@pytest.fixture
def callers(transactional_db: None) -> Callers:
    """Programs of two institutions; nothing of them is left."""
    from tests.portal.api import callers  # noqa: PLC0415  (models load later)

    return callers.new()
