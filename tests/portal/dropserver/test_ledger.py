"""The server over PostgreSQL and the broker: logins, records, ownership, outages."""

import io
from datetime import timedelta
from unittest import mock

import paramiko
import psycopg
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import hashers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import tenancy
from portal.celery import app
from portal.dropserver.ledger import Ledger, _mark_alive
from portal.dropserver.logins import Logins
from portal.models import (
    Account,
    AccountKey,
    Drop,
    DropSession,
    Endpoint,
    LoginScore,
    Tenant,
    Upload,
)
from tests.portal.dropserver.conftest import FOLDER, Running, eventually

pytestmark = pytest.mark.usefixtures("transactional_db")

HERE = "/Accounts/AccountImports"
PATH = "/".join(FOLDER)
RIGHT = "correct horse battery"


@pytest.fixture
def everyone():
    with tenancy.everyone("a test looks at all tenants"):
        yield


@pytest.fixture
def account(settings, tmp_path, everyone):
    settings.DROPS_DIR = tmp_path / "drops"
    tenant = Tenant.objects.create(name="Alpha", slug="alpha")
    endpoint = Endpoint.objects.create(tenant=tenant, name="SFTP")
    Drop.objects.create(tenant=tenant, endpoint=endpoint, path=PATH, feed="accounts")
    return Account.objects.create(
        tenant=tenant,
        endpoint=endpoint,
        username="maria",
        password=hashers.make_password(RIGHT),
    )


@pytest.fixture
def running(account, tmp_path):
    async def make():
        return Ledger()

    running = Running(tmp_path, make_gate=make)
    yield running
    running.stop()
    running.gate.close()


@pytest.fixture
def folder(account):
    return django_settings.DROPS_DIR.joinpath(str(account.endpoint.uid), *FOLDER)


def connected(running, username="maria", **login):
    transport = paramiko.Transport(("127.0.0.1", running.port))
    try:
        transport.connect(username=username, **(login or {"password": RIGHT}))
    except BaseException:
        transport.close()
        raise
    return transport


def test_a_session_and_its_upload_are_recorded(running, account, folder):
    with connected(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp.listdir("/") == ["Accounts"]
        sftp.putfo(io.BytesIO(b"a,b\n"), f"{HERE}/a.csv.filepart")
        sftp.rename(f"{HERE}/a.csv.filepart", f"{HERE}/a.csv")
        running.gate.flush()
        session, upload = DropSession.objects.get(), Upload.objects.get()
        assert session.ended_at is None
    assert (folder / "a.csv").read_bytes() == b"a,b\n"
    assert (upload.path, upload.state, upload.size) == (f"{PATH}/a.csv", "complete", 4)
    assert (upload.account, upload.session, upload.tenant) == (account, session, account.tenant)
    assert (session.account, session.address, session.method) == (account, "127.0.0.1", "password")
    assert session.client.startswith("SSH-2.0-paramiko")
    eventually(
        lambda: DropSession.objects.filter(ended_at__isnull=False).exists(), "the session has ended"
    )
    account.refresh_from_db()
    assert account.last_login_at is not None


def test_a_lost_session_leaves_a_partial_upload(running, folder):
    transport = connected(running)
    file = paramiko.SFTPClient.from_transport(transport).open(f"{HERE}/a.csv", "wb")
    file.write(b"half")
    file.flush()
    file.stat()
    running.gate.flush()
    assert Upload.objects.get().state == "open"
    transport.close()
    eventually(lambda: Upload.objects.get().state == "partial", "the upload is partial")
    assert Upload.objects.get().size == 4
    assert not (folder / "a.csv").exists()


def test_a_key_logs_in(running, account):
    key = paramiko.RSAKey.generate(2048)
    with pytest.raises(paramiko.AuthenticationException):
        connected(running, pkey=key)
    AccountKey.objects.create(
        tenant=account.tenant,
        account=account,
        line=f"ssh-rsa {key.get_base64()} maria@example.org",
        fingerprint="SHA256:x",
    )
    connected(running, pkey=key).close()
    eventually(DropSession.objects.filter(method="publickey").exists, "the session is recorded")


@pytest.mark.parametrize("name", ["maria", "MARIA", "Maria"])
def test_a_name_compares_without_case(running, name):
    connected(running, name).close()


@pytest.mark.parametrize("what", ["account", "endpoint", "tenant"])
def test_what_is_switched_off_cannot_log_in(running, account, what):
    row = account if what == "account" else getattr(account, what)
    row.enabled = False
    row.save()
    with pytest.raises(paramiko.AuthenticationException):
        connected(running)


@pytest.mark.parametrize(
    ("networks", "allowed"),
    [
        ([], True),
        (["127.0.0.0/8"], True),
        (["10.0.0.0/8", "127.0.0.1"], True),
        (["10.0.0.0/8"], False),
        (["nonsense"], False),
        (["::1/128"], False),
        (["::ffff:127.0.0.0/104"], True),
        ("", False),
        ({}, False),
        ([""], False),
    ],
)
def test_an_account_may_be_bound_to_networks(running, account, networks, allowed):
    account.allowed_networks = networks
    account.save()
    if allowed:
        connected(running).close()
    else:
        with pytest.raises(paramiko.AuthenticationException):
            connected(running)


def test_ten_failures_ban_until_the_ban_ends(running):
    for _ in range(10):
        with pytest.raises(paramiko.AuthenticationException):
            connected(running, password="wrong")
    with pytest.raises(paramiko.AuthenticationException):
        connected(running)
    score = LoginScore.objects.get(key="127.0.0.1|maria")
    assert score.failures == 10
    assert score.banned_until > timezone.now()
    past = timezone.now() - timedelta(seconds=1)
    LoginScore.objects.update(banned_until=past)
    connected(running).close()


def test_somebody_who_has_logged_in_from_there_does_not_wait_behind_guesses(account):
    logins = Logins()
    assert logins.by_password("maria", RIGHT, "192.0.2.1")
    logins._remembered.clear()
    with logins._hashing, logins._hashing:  # guesses take all there is
        assert logins.by_password("maria", RIGHT, "192.0.2.1")


def test_a_password_that_was_right_a_moment_ago_is_not_hashed_again(account):
    logins = Logins()
    assert logins.by_password("maria", RIGHT, "192.0.2.1")
    with logins._hashing, logins._hashing, logins._hashing_familiar, logins._hashing_familiar:
        assert logins.by_password("maria", RIGHT, "198.51.100.9")


def test_an_unknown_name_costs_the_same_work(account):
    logins, work = Logins(), {}
    hasher = hashers.get_hasher()
    for name in ("maria", "nobody", "nul\0"):
        with (
            CaptureQueriesContext(connection) as queries,
            mock.patch.object(type(hasher), "verify", autospec=True, return_value=False) as verify,
        ):
            assert logins.by_password(name, "wrong", "192.0.2.1") is None
            assert logins.by_key(name, "ssh-ed25519 AAAA", "192.0.2.1") is None
        work[name] = (len(queries), verify.call_count)
    assert work["maria"][1] == 1
    assert work["maria"] == work["nobody"] == work["nul\0"]


def test_a_right_password_is_hashed_once_and_a_changed_one_again(account):
    logins = Logins()
    assert logins.by_password("maria", RIGHT, "192.0.2.1")
    hasher = type(hashers.get_hasher())
    with mock.patch.object(hasher, "verify", autospec=True, return_value=False) as verify:
        assert logins.by_password("maria", RIGHT, "192.0.2.1")
        assert verify.call_count == 0
        assert logins.by_password("maria", "wrong", "192.0.2.1") is None
        account.password = hashers.make_password("another one now")
        account.save()
        assert logins.by_password("maria", RIGHT, "192.0.2.1") is None
        assert verify.call_count == 2


def test_a_file_stays_its_senders(running, account, folder):
    Account.objects.create(
        tenant=account.tenant,
        endpoint=account.endpoint,
        username="pedro",
        password=account.password,
    )
    with connected(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        sftp.putfo(io.BytesIO(b"marias"), f"{HERE}/a.csv")
        running.gate.flush()
        sftp.putfo(io.BytesIO(b"marias second"), f"{HERE}/a.csv")
    with connected(running, "pedro") as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        with pytest.raises(PermissionError, match="another account"):
            sftp.putfo(io.BytesIO(b"pedros"), f"{HERE}/a.csv")
        (folder / "a.done.INVALIDSCHEMA").write_bytes(b"<x/>")
        with pytest.raises(PermissionError, match="by the portal"):
            sftp.rename(f"{HERE}/a.done.INVALIDSCHEMA", f"{HERE}/a.done")
        sftp.remove(f"{HERE}/a.done.INVALIDSCHEMA")
    assert (folder / "a.csv").read_bytes() == b"marias second"


def test_an_upload_outlives_the_database_and_is_recorded_later(running, folder):
    transport = connected(running)
    sftp = paramiko.SFTPClient.from_transport(transport)
    file = sftp.open(f"{HERE}/a.csv", "wb")
    file.write(b"first ")
    running.gate.flush()
    connection.close()
    with database_away():
        file.write(b"second")
        file.close()
        assert (folder / "a.csv").read_bytes() == b"first second"
        sftp.putfo(io.BytesIO(b"new"), f"{HERE}/b.csv")
        with pytest.raises(paramiko.AuthenticationException):
            connected(running)
    eventually(lambda: Upload.objects.filter(state="complete").count() == 2, "both recorded", 20)
    connected(running).close()
    transport.close()


class database_away:
    """No connection to the test database can be made, and none is left."""

    def __enter__(self):
        name = connection.settings_dict["NAME"]
        self.admin = psycopg.connect(
            django_settings.DATABASE_URL.replace("/causeway?", "/postgres?"), autocommit=True
        )
        self.name = psycopg.sql.Identifier(name)
        self._allow("false")
        self.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )

    def __exit__(self, *_):
        self._allow("true")
        self.admin.close()

    def _allow(self, word):
        query = psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS " + word).format(self.name)
        self.admin.execute(query)


def test_sessions_of_a_server_that_is_gone_are_ended(account):
    rows = {}
    for name in ("alive", "gone"):
        session = DropSession.objects.create(
            tenant=account.tenant, account=account, address="127.0.0.1", method="password"
        )
        rows[name] = (
            session,
            Upload.objects.create(
                tenant=account.tenant,
                session=session,
                account=account,
                endpoint=account.endpoint,
                path=f"{PATH}/{name}.csv",
            ),
        )
    DropSession.objects.update(seen_at=timezone.now() - timedelta(minutes=10))
    _mark_alive([rows["alive"][0].uid])
    for session, upload in rows.values():
        session.refresh_from_db()
        upload.refresh_from_db()
    assert rows["alive"][0].ended_at is None
    assert rows["alive"][1].state == "open"
    assert rows["gone"][0].end_reason == "the drop server was lost"
    assert rows["gone"][1].state == "partial"


def test_many_files_ring_the_bell_seldom_but_ring_it(running, account):
    def waiting():
        with app.connection_for_read() as broker:
            return broker.default_channel.client.llen("poll")

    before = waiting()
    with connected(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        for number in range(20):
            sftp.putfo(io.BytesIO(b"x"), f"{HERE}/{number}.csv")
        eventually(lambda: waiting() > before, "the bell was rung")
    assert waiting() - before < 10
