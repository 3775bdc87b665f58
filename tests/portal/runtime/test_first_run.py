"""What the first run makes: keys, addresses, the lock, the socket directory."""

import base64
import os
import socket
import stat
import subprocess
import sys

import pytest

from portal import vault
from portal.runtime import surroundings
from portal.runtime.datadir import DataDirectory, DirectoryRefused, write_private
from portal.runtime.keys import KeyLost, Keys, fingerprint
from portal.runtime.ports import AddressRefused, reserve, split
from portal.runtime.program import ROOT
from portal.runtime.sockets import UnsafeSocketDirectory, socket_directory


def test_it_makes_keys_that_only_the_owner_may_read(tmp_path):
    keys = Keys(tmp_path / "keys")
    keys.ensure(has_data=False)
    paths = [keys.secret_key, keys.vault_keys, keys.host_key]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600] * 3
    assert stat.S_IMODE(keys.directory.stat().st_mode) == 0o700
    name, _, key = keys.vault_keys.read_text().strip().partition(":")
    assert (name, len(base64.b64decode(key))) == ("k1", 32)
    assert vault.keys(keys.vault_keys.read_text().strip())


def test_it_keeps_keys_that_are_there(tmp_path):
    keys = Keys(tmp_path / "keys")
    keys.ensure(has_data=False)
    before = [path.read_bytes() for path in sorted(keys.directory.iterdir())]
    keys.ensure(has_data=True)
    assert [path.read_bytes() for path in sorted(keys.directory.iterdir())] == before


def test_it_refuses_to_make_new_vault_keys_over_data_that_needs_the_old(tmp_path):
    with pytest.raises(KeyLost, match="Restore it from a backup"):
        Keys(tmp_path / "keys").ensure(has_data=True)
    assert not (tmp_path / "keys").exists()


def test_it_shows_the_fingerprint_as_openssh_does(tmp_path):
    keys = Keys(tmp_path)
    keys.ensure(has_data=False)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(keys.host_key)], capture_output=True, text=True, check=True
    )
    assert fingerprint(keys.host_key) in shown.stdout.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
    ],
)
def test_it_reads_an_address(text, expected):
    assert split(text, "--http") == expected


@pytest.mark.parametrize("text", ["localhost", "localhost:http", "a:70000", "a:-1", "", "a:²"])
def test_it_rejects_what_is_no_address_and_names_the_option(text):
    with pytest.raises(AddressRefused, match=r"--http .*: expected HOST:PORT"):
        split(text, "--http")


def test_it_rejects_a_port_that_is_taken_and_names_the_option():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressRefused, match=rf"Port {port} .* taken .* --http HOST:PORT"):
            reserve(f"127.0.0.1:{port}", "--http")


def test_it_rejects_an_address_of_another_machine():
    with pytest.raises(AddressRefused, match="cannot be used here"):
        reserve("192.0.2.1:0", "--sftp")


def test_a_free_port_stays_reserved_yet_a_child_can_listen_on_it():
    address = reserve("127.0.0.1:0", "--http")
    assert address.port
    with socket.create_server((address.host, address.port)) as child:
        assert child.getsockname()[1] == address.port
    address.reservation.close()


def test_a_second_launcher_is_refused_in_words(tmp_path):
    data = DataDirectory(tmp_path / "var")
    data.claim()
    with pytest.raises(DirectoryRefused, match=rf"process {os.getpid()}\) already runs with"):
        DataDirectory(tmp_path / "var").claim()
    assert data.lock is not None
    data.lock.close()
    again = DataDirectory(tmp_path / "var")
    again.claim()
    assert again.lock is not None
    again.lock.close()


def test_while_a_launcher_stops_another_is_told_to_wait(tmp_path):
    data = DataDirectory(tmp_path / "var")
    data.claim()
    data.stopping()
    words = rf"process {os.getpid()}\) is stopping\. Wait until it has ended"
    with pytest.raises(DirectoryRefused, match=words):
        DataDirectory(tmp_path / "var").claim()
    data.lock.close()
    DataDirectory(tmp_path / "var").claim()


def test_a_data_directory_that_cannot_be_made_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryRefused, match="--data DIR"):
        DataDirectory(tmp_path / "file" / "var").claim()


def test_the_announcement_is_private(tmp_path):
    write_private(tmp_path / "up.json", {"accounts": []})
    assert stat.S_IMODE((tmp_path / "up.json").stat().st_mode) == 0o600


@pytest.fixture
def short_tmp(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    paths = []
    yield paths.append
    for path in paths:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            path.rmdir()


def test_the_socket_directory_is_short_private_and_the_same_each_time(tmp_path, short_tmp):
    long = tmp_path / ("a long name with spaces " * 8)
    path = socket_directory(long, os.geteuid())
    short_tmp(path)
    assert len(str(path)) < 60
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert socket_directory(long, os.geteuid()) == path
    assert socket_directory(tmp_path, os.geteuid()) != path
    short_tmp(socket_directory(tmp_path, os.geteuid()))


def test_a_socket_directory_that_others_may_enter_is_refused(tmp_path, short_tmp):
    path = socket_directory(tmp_path, os.geteuid())
    short_tmp(path)
    path.chmod(0o755)
    with pytest.raises(UnsafeSocketDirectory, match="set TMPDIR"):
        socket_directory(tmp_path, os.geteuid())


def test_a_socket_directory_that_is_a_link_is_refused(tmp_path, short_tmp):
    path = socket_directory(tmp_path, os.geteuid())
    short_tmp(path)
    path.rmdir()
    (tmp_path / "target").mkdir(mode=0o700)
    path.symlink_to(tmp_path / "target")
    with pytest.raises(UnsafeSocketDirectory):
        socket_directory(tmp_path, os.geteuid())


def test_what_the_user_set_wins_over_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "mine")
    monkeypatch.delenv("VAULT_KEYS", raising=False)
    monkeypatch.setenv("ALLOWED_HOSTS", "data.example.org")
    address = reserve("127.0.0.1:0", "--http")
    keys, data = Keys(tmp_path / "keys"), DataDirectory(tmp_path)
    environment = surroundings.build(data, keys, address, address, {"DATABASE_URL": "postgres://x"})
    address.reservation.close()
    assert environment["SECRET_KEY"] == "mine"
    assert "SECRET_KEY_FILE" not in environment
    assert environment["VAULT_KEYS_FILE"] == str(keys.vault_keys)
    assert environment["ALLOWED_HOSTS"] == "data.example.org"
    assert environment["DATABASE_URL"] == "postgres://x"


@pytest.mark.parametrize("name", ["bin/up", "bin/test", "bin/environment", ".ci/run"])
def test_the_scripts_are_sound_shell(name):
    shell = "bash" if name == ".ci/run" else "sh"
    checked = subprocess.run([shell, "-n", name], cwd=ROOT, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    text = (ROOT / name).read_text()
    assert "pkill" not in text
    assert '"$@"' in text or name == "bin/environment"
    if name != "bin/environment":
        assert os.access(ROOT / name, os.X_OK)
        assert "set -eu" in text


def test_bin_up_says_what_to_install_where_python_is_missing():
    ended = subprocess.run(
        ["/bin/sh", "-c", ". bin/environment; find_python"],
        env={"PATH": "/usr/bin:/bin", "PYTHONS": "/no/python3.11"},
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "apt-get install python3" in ended.stderr


@pytest.mark.parametrize(("version", "directory"), [("3.11", "a"), ("3.13", "a-3.13")])
def test_a_python_that_is_named_has_an_environment_of_its_own(tmp_path, version, directory):
    named = python_that_says(tmp_path, version)
    script = (
        '. bin/environment; install_requirements() { mkdir -p "$2"; echo "$1"; }; '
        f'make_environment {tmp_path}/a requirements.txt; echo "$environment"'
    )
    ended = environment_script(script, PYTHON=named)
    assert ended.stdout.split() == [named, str(tmp_path / directory)], ended.stderr


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_a_python_that_is_named_and_does_not_fit_is_refused(tmp_path, version):
    ended = environment_script(
        ". bin/environment; find_python", PYTHON=python_that_says(tmp_path, version)
    )
    assert ended.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13" in ended.stderr


def python_that_says(folder, version):
    """A program that answers the question for its version."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def environment_script(script, **environment):
    return subprocess.run(
        ["/bin/sh", "-euc", script], env={"PATH": "/usr/bin:/bin", **environment},
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip


def test_a_launcher_without_settings_shows_its_options():
    ended = subprocess.run(
        [sys.executable, "manage.py", "up", "--help"],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(option in ended.stdout for option in ("--data", "--http", "--sftp", "--no-demo"))
