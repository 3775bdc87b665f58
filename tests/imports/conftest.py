"""An institution whose rows are really committed, for all tests of the import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.imports.institution import Institution


@pytest.fixture
def institution(transactional_db: None) -> Iterator[Institution]:
    """An institution of its own, in scope; nothing of it is left."""
    # Models can be loaded when Django is set up, which is after this file is read.
    from tests.imports.institution import committed  # noqa: PLC0415

    with committed() as institution:
        yield institution
