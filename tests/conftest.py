"""What every test run shares: real servers on demand, and a database used as the bound role."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation

from tests import embedded

APP_ROLE = "causeway_app"


def pytest_configure(config: pytest.Config) -> None:
    """Load settings now that their environment is set; pytest-django sets Django up after this."""
    assert settings.DATABASES
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
def django_db_setup(servers, django_db_setup, django_db_blocker) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """The test database is made by the owner and used as the role that policies bind."""
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            # Only so that transactional tests can be cleared; in production nobody but the owner.
            cursor.execute(f"GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
        become(APP_ROLE)
    yield
    with django_db_blocker.unblock():
        become("")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request in another language leaves it on in the test's thread."""
    yield
    translation.deactivate()


def become(role: str) -> None:
    """Connect anew as a role, or as the owner."""
    connection.close()
    settings.DATABASE_ROLE = role
    options = connection.settings_dict["OPTIONS"]
    options.pop("options", None)
    if role:
        options["options"] = f"-c role={role}"
