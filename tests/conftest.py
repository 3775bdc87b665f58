"""What every test run shares: real servers on demand, and a database used as the bound role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.utils import translation

from tests import database, embedded, sizes

if TYPE_CHECKING:
    from django.conf import LazySettings

    from tests.cast import Cast, Prepared
    from tests.database import Emptying


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load settings now that their environment is set; pytest-django sets Django up after this."""
    assert settings.DATABASES
    sizes.load_profile()
    if config.option.timeout is None:
        config.option.timeout = sizes.TIME_LIMIT  # a test that hangs fails instead
    if config.getoption("numprocesses", None):
        # Workers that inherit it load their settings too early: all with the controller's folders.
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller clears up what no keeper does."""
    if not hasattr(config, "workerinput"):
        embedded.discard()


@pytest.fixture(scope="session")
def servers() -> Path:
    """Embedded PostgreSQL and Valkey, running; the directory of their sockets."""
    return embedded.ensure_servers()


@pytest.fixture(scope="session")
def django_db_setup(servers: Path, django_db_blocker: Any) -> Iterator[None]:
    """The worker's database; it replaces pytest-django's, which migrates one for each worker."""
    with django_db_blocker.unblock(), database.cloned(servers), django_db_blocker.block():
        yield


@pytest.fixture(scope="session")
def emptying(servers: Path, django_db_setup: None) -> Emptying:
    """What deletes the rows that tests commit."""
    return database.Emptying(servers)


@pytest.fixture
def transactional_db(emptying: Emptying, django_db_blocker: Any) -> Iterator[None]:
    """The database without a transaction around the test; what it commits is deleted after it."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            emptying.empty()


@pytest.fixture(scope="session")
def prepared_cast(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    """The cast of the page tests, made once."""
    from tests import cast  # noqa: PLC0415 - pytest loads this file before the models

    with django_db_blocker.unblock():
        return cast.prepare(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def cast(prepared_cast: Prepared, db: None, settings: LazySettings, tmp_path: Path) -> Cast:
    """The cast on a stage of the test's own."""
    return prepared_cast.on_stage(settings, tmp_path)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request in another language leaves it on in the test's thread."""
    yield
    translation.deactivate()
