"""Scores that several programs change at the same moment: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import LazySettings
from django.db import connection

from portal.models import LoginScore
from portal.people import scores

HERE = "192.0.2.7"


@pytest.mark.usefixtures("transactional_db")
def test_failures_at_the_same_moment_are_all_counted(
    settings: LazySettings, in_thread: Callable[..., None]
) -> None:
    settings.LOGIN_FAILURES = 100
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: in_thread(scores.failed, HERE, "ada"), range(40)))
    assert LoginScore.objects.get(key=f"{HERE}|ada").failures == 40


@pytest.fixture
def in_thread() -> Callable[..., None]:
    """Runs a call on a connection of its own, and closes that."""

    def call(function: Callable[..., None], *args: str) -> None:
        try:
            function(*args)
        finally:
            connection.close()

    return call
