"""Two institutions with committed rows, and programs with tokens of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.portal.api.callers import Callers


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database without a transaction around the test, and without emptying all of it after."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def callers(transactional_db: None) -> Iterator[Callers]:
    """Programs of two institutions; nothing of them is left."""
    from tests.portal.api.callers import committed  # noqa: PLC0415  (models load later)

    with committed() as callers:
        yield callers
