"""The rig of the fault tests, and an institution for each.

This file is read before Django is set up, so what needs Django is imported by the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import pytest

from tests.sizes import FULL

if TYPE_CHECKING:
    from tests.faults.harness import Rig
    from tests.faults.sender import Sender


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is a fault test."""
    for item in items:
        if "tests/faults/" in str(item.path):
            item.add_marker(pytest.mark.faults)


def _rig_of(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    """In full size a file's records would decide how the next file's imports read the store."""
    return "module" if FULL else "session"


@pytest.fixture(scope=_rig_of)
def servers_and_data(django_db_blocker) -> Iterator[Rig]:  # type: ignore[no-untyped-def]
    """Servers of our own, so that they can be killed beside other tests."""
    from tests.faults.harness import Rig  # noqa: PLC0415

    rig = Rig()
    try:
        with django_db_blocker.unblock():
            rig.start()
        yield rig
    finally:
        rig.end()


@pytest.fixture
def rig(servers_and_data: Rig, django_db_blocker) -> Iterator[Rig]:  # type: ignore[no-untyped-def]
    """The servers, and this process speaking to them; the programs are the test's to start."""
    servers_and_data.ensure()
    from portal.models import Drop  # noqa: PLC0415

    with django_db_blocker.unblock(), servers_and_data.here():
        yield servers_and_data
        servers_and_data.ensure()
        # The next test's sweeps need not look into this one's folders.
        Drop.objects.update(enabled=False)


@pytest.fixture
def working(rig: Rig) -> Rig:
    """The rig with both workers and beat running."""
    rig.ensure(rig.worker, rig.intake, rig.beat)
    return rig


@pytest.fixture
def sender(rig: Rig) -> Sender:
    """An institution."""
    return _sender(rig)


@pytest.fixture
def other(rig: Rig) -> Sender:
    """Another institution, whose work must go on."""
    return _sender(rig)


def _sender(rig: Rig) -> Sender:
    from tests.faults import sender as senders  # noqa: PLC0415

    return senders.new(rig)
