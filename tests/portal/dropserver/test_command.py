"""`manage.py dropserver` as a process: how it starts, serves and ends."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from django.conf import settings
from django.db import connection

from portal import provision, tenancy
from portal.management.commands.dropserver import Command
from portal.models import Beat, DropSession, Upload
from tests.portal.dropserver.conftest import PASSWORD, eventually

MANAGE = Path(settings.BASE_DIR) / "manage.py"


@contextmanager
def command(folder, *arguments, **environment):
    name = connection.settings_dict["NAME"]
    server = subprocess.Popen(
        [sys.executable, str(MANAGE), "dropserver", *arguments],
        env={
            **os.environ,
            "DATABASE_URL": settings.DATABASE_URL.replace("/causeway?", f"/{name}?"),
            "DATABASE_ROLE": "causeway_app",
            "DROPS_DIR": str(folder / "drops"),
            "SFTP_HOST_KEY_FILE": str(folder / "keys" / "host"),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield server
    finally:
        server.kill()
        server.communicate()


@pytest.mark.usefixtures("transactional_db")
def test_it_serves_until_it_is_told_to_stop(settings, tmp_path):
    settings.DROPS_DIR = tmp_path / "drops"
    with (
        tenancy.everyone("a test looks at all tenants"),
        command(tmp_path, "--bind", "127.0.0.1:0") as server,
    ):
        place = provision.endpoint(provision.tenant("Alpha", "alpha"))
        provision.account(place, "maria", PASSWORD)
        lines = (json.loads(line) for line in server.stdout if line.startswith("{"))
        started = next(line for line in lines if line["event"] == "drop_server_started")
        key = tmp_path / "keys" / "host"
        assert key.stat().st_mode & 0o777 == 0o600
        transport = paramiko.Transport(("127.0.0.1", started["port"]))
        transport.connect(username="MARIA", password=PASSWORD)
        assert transport.get_remote_server_key().fingerprint == started["key"]
        sftp = paramiko.SFTPClient.from_transport(transport)
        sftp.putfo(io.BytesIO(b"a"), "/Accounts/AccountImports/a.csv")
        left_open = sftp.open("/Accounts/AccountImports/b.csv", "wb")
        eventually(Beat.objects.filter(name__startswith="drop@").exists, "a sign of life")
        server.send_signal(signal.SIGTERM)
        left_open.write(b"b")
        left_open.close()
        output = server.stdout.read()
        assert server.wait(30) == 0, output
        assert "Traceback" not in output
        transport.close()
        assert [upload.state for upload in Upload.objects.all()] == ["complete", "complete"]
        assert DropSession.objects.get().end_reason == "The server is stopping."


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        ("here", "expected HOST:PORT"),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        ("127.0.0.1:{taken}", "Cannot listen on [^ ]+: Address already in use"),
        # From Python 3.13 on asyncio says this in its own words.
        (
            "192.0.2.1:2222",
            "listen on [^ ]+: (Cannot assign requested|could not bind on any) address",
        ),
    ],
)
def test_it_says_what_is_wrong_with_an_address(tmp_path, bind, words):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = ["--bind", bind.format(taken=taken.getsockname()[1])]
        with command(tmp_path, *arguments) as server:
            output, _ = server.communicate(timeout=30)
    assert server.returncode == 1
    assert re.search(words, output)
    assert "Traceback" not in output


def test_a_second_one_does_not_share_the_port_of_the_first(tmp_path):
    """It took over half of the sessions, without a word, until somebody killed it."""
    with command(tmp_path, "--bind", "127.0.0.1:0") as first:
        lines = (json.loads(line) for line in first.stdout if line.startswith("{"))
        port = next(line for line in lines if line["event"] == "drop_server_started")["port"]
        with command(tmp_path, "--bind", f"127.0.0.1:{port}") as second:
            output, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert re.search(r"Address already in use\. .*`manage\.py up`.*--bind HOST:PORT", output)
        assert first.poll() is None


def test_the_help_names_the_address_that_is_the_default(settings):
    settings.SFTP_BIND = "127.0.0.1:2222"
    text = Command().create_parser("manage.py", "dropserver").format_help()
    assert "127.0.0.1:2222" in text


def test_it_says_that_a_host_key_is_no_key(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "host").write_text("no key")
    with command(tmp_path, "--bind", "127.0.0.1:0") as server:
        output, _ = server.communicate(timeout=30)
    assert server.returncode == 1
    assert "cannot be read" in output
    assert "Traceback" not in output
