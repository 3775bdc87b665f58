"""What the tests of deliveries share: real servers, an institution with something to send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import sshd as openssh

if TYPE_CHECKING:
    from tests.exports.deliveries.dispatch import Dispatch


@pytest.fixture(scope="session")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openssh.Sshd]:
    """A real OpenSSH server."""
    if not openssh.HAS_SSHD:
        pytest.skip(openssh.SKIP)
    with openssh.running(tmp_path_factory.mktemp("sshd") / "server") as server:
        yield server


@pytest.fixture
def sshd(shared_sshd: openssh.Sshd) -> Iterator[openssh.Sshd]:
    """The same with an empty folder."""
    yield shared_sshd
    for path in shared_sshd.root.iterdir():
        path.unlink() if path.is_file() else path.rmdir()


@pytest.fixture
def dispatch(in_scope: None) -> Dispatch:
    """An institution, in whose scope the test runs; the time limits are short."""
    from tests.exports.deliveries.dispatch import Dispatch  # noqa: PLC0415 - needs Django

    return Dispatch.new()


@pytest.fixture
def in_scope(settings, tmp_path: Path) -> Iterator[None]:  # type: ignore[no-untyped-def]
    from portal import tenancy  # noqa: PLC0415
    from portal.models import Tenant  # noqa: PLC0415

    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EXPORT_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.EXPORT_CONNECT_SECONDS, settings.EXPORT_TRANSFER_SECONDS = 20, 60
    oak = Tenant.objects.create(name="Oak College", slug="oak")
    with tenancy.scope(oak.pk):
        yield
