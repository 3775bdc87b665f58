"""The commands decide where an account may log in from, and a real SFTP client meets it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from portal import provision, tenancy
from portal.dropserver.ledger import Ledger
from portal.models import Account, AuditEntry, Endpoint
from tests.portal.dropserver.conftest import Running

pytestmark = pytest.mark.usefixtures("transactional_db")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


@pytest.fixture(autouse=True)
def everyone(transactional_db: None) -> Iterator[None]:
    with tenancy.everyone("a test looks at all tenants"):
        yield


@pytest.fixture
def endpoint(settings: LazySettings, tmp_path: Path) -> Endpoint:
    settings.DROPS_DIR = tmp_path / "drops"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return provision.endpoint(provision.tenant("Oak College", "oak"))


@pytest.fixture
def running(endpoint: Endpoint, tmp_path: Path) -> Iterator[Running]:
    async def make() -> Ledger:
        return Ledger()

    running = Running(tmp_path, make_gate=make)
    yield running
    running.stop()
    running.gate.close()


@pytest.fixture
def key(running: Running, tmp_path: Path) -> str:
    path = tmp_path / "sender.pub"
    path.write_text(running.public)
    return str(path)


def comes_in(running: Running, user: str = "sis") -> bool:
    """Whether OpenSSH's client, which comes from 127.0.0.1, may log in."""
    ran: subprocess.CompletedProcess[str] = running.sftp("pwd", user=user, check=False)
    assert ran.returncode == 0 or "Permission denied" in ran.stderr, ran.stderr
    return ran.returncode == 0


def test_a_client_is_let_in_only_from_the_addresses_of_the_command(
    running: Running, key: str
) -> None:
    run("create_account", "oak", "sis", "--key", key)
    assert comes_in(running)
    assert run("set_addresses", "oak", "sis", "203.0.113.0/24", "2001:db8::7") == (
        "sis may log in from 203.0.113.0/24, 2001:db8::7"
    )
    assert not comes_in(running)
    run("set_addresses", "oak", "sis", "203.0.113.0/24", "127.0.0.1")
    assert comes_in(running)
    run("set_addresses", "oak", "sis", "203.0.113.0/24")
    assert not comes_in(running)
    assert run("set_addresses", "oak", "SIS", "--anywhere") == "sis may log in from anywhere"
    assert comes_in(running)


def test_an_open_session_outlives_a_new_limit_and_the_disabling_of_its_account(
    running: Running, endpoint: Endpoint
) -> None:
    """The account's page, the operators' guide and the command's help say so."""
    password = "correct horse battery"
    account = provision.account(endpoint, "sis", password)
    with paramiko.Transport(("127.0.0.1", running.port)) as transport:
        transport.connect(username="sis", password=password)
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp is not None
        run("set_addresses", "oak", "sis", "203.0.113.7")
        assert "Accounts" in sftp.listdir("/")
        Account.objects.filter(pk=account.pk).update(enabled=False, allowed_networks=[])
        assert "Accounts" in sftp.listdir("/")
    with (
        paramiko.Transport(("127.0.0.1", running.port)) as transport,
        pytest.raises(paramiko.AuthenticationException),
    ):
        transport.connect(username="sis", password=password)


def test_an_account_may_be_limited_from_the_beginning(running: Running, key: str) -> None:
    words = run(
        "create_account", "oak", "sis", "--key", key, "--from", "10.0.0.0/8", "--from", "::1"
    )
    assert "It logs in only from 10.0.0.0/8, ::1" in words
    assert not comes_in(running)
    run("create_account", "oak", "here", "--key", key, "--from", "127.0.0.0/8")
    assert comes_in(running, "here")
    run("create_account", "oak", "pat", "--template", "Harbor", "tx", "--key", key, "--from", "::2")
    assert Account.objects.get(username="pat_admin_harbor_tx").allowed_networks == ["::2"]


@pytest.mark.usefixtures("endpoint")
def test_an_account_with_a_wrong_address_is_not_created() -> None:
    with pytest.raises(CommandError, match=r"Expected the network 10\.0\.0\.0/8"):
        run("create_account", "oak", "sis", "--from", "10.0.0.5/8")
    assert not Account.objects.exists()


def test_without_networks_the_command_shows_what_holds(endpoint: Endpoint) -> None:
    provision.account(endpoint, "sis", "x" * 20)
    assert run("set_addresses", "oak", "sis") == "sis may log in from anywhere"
    run("set_addresses", "oak", "sis", "10.0.0.5/32", "::ffff:10.0.0.6", "10.0.0.5")
    assert run("set_addresses", "oak", "sis") == "sis may log in from 10.0.0.5, 10.0.0.6"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.user) == ("account.addresses", "sis", None)
    assert (entry.detail["old"], entry.detail["new"]) == ([], ["10.0.0.5", "10.0.0.6"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "sis"), "No institution has the slug nowhere. There are: elm, oak"),
        (("oak", "sly"), "oak has no account sly. There are: sis"),
        (("oak", "elm-sis"), "oak has no account elm-sis"),
        (("oak", "sis", "10.0.0.5/8"), "the network 10.0.0.0/8 .* or the address 10.0.0.5 alone"),
        (("oak", "sis", "here", "10.0.0.1", "there"), "“here”.*“there”"),
        (("oak", "sis", "::1", "--anywhere"), "either networks or --anywhere"),
        (("oak", "sis", " "), "Use --anywhere"),
    ],
)
def test_what_it_cannot_do_it_says_in_words(
    endpoint: Endpoint, arguments: tuple[str, ...], words: str
) -> None:
    provision.account(endpoint, "sis", "x" * 20, addresses=["10.0.0.1"])
    elm = provision.endpoint(provision.tenant("Elm", "elm"))
    provision.account(elm, "elm-sis", "x" * 20)
    with pytest.raises(CommandError, match=words):
        run("set_addresses", *arguments)
    assert Account.objects.get(username="sis").allowed_networks == ["10.0.0.1"]
    assert not AuditEntry.objects.exists()
