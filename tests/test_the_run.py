"""The test run itself: workers that run side by side share no directory and no database."""

import os

from django.conf import settings


def test_each_worker_has_files_and_a_broker_of_its_own() -> None:
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    assert settings.DATA_DIR.name == f"data-{number}"
    assert f"/broker-{number}/" in settings.REDIS_URL
    assert settings.SPOOL_DIR.parent == settings.DATA_DIR


def test_no_variable_of_the_callers_reaches_the_settings() -> None:
    assert settings.LOG_FORMAT == "json"
