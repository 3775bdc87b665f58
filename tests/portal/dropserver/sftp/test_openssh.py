"""OpenSSH's own client against the real server."""

import hashlib
import os
import shutil
import subprocess

import pytest

from portal.dropserver.gate import EndedUpload, Ending
from tests.portal.dropserver.conftest import FOLDER, eventually

pytestmark = pytest.mark.skipif(not shutil.which("sftp"), reason="OpenSSH's sftp is not installed")

HERE = "/Accounts/AccountImports"


def ssh(running, *arguments, timeout=30):
    return subprocess.run(
        ["ssh", *running.ssh_options, "-i", str(running.key), "-p", str(running.port), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_it_takes_a_file_and_gives_it_back(running, tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "accounts.csv").write_bytes(data)
    running.sftp(
        "cd Accounts/AccountImports",
        f"put -p {tmp_path}/accounts.csv",
        f"get accounts.csv {tmp_path}/back.csv",
    )
    assert (tmp_path / "back.csv").read_bytes() == data
    assert (running.drop / "accounts.csv").read_bytes() == data
    assert running.gate.endings((*FOLDER, "accounts.csv")) == [Ending.COMPLETE]
    assert running.gate.rings == [(*FOLDER, "accounts.csv")]


def test_scp_ends_well_in_both_directions(running, tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "a.csv").write_bytes(data)
    place = f"maria@127.0.0.1:{HERE}/a.csv"
    for source, target in ((f"{tmp_path}/a.csv", place), (place, f"{tmp_path}/b.csv")):
        ran = subprocess.run(
            [
                *("scp", *running.ssh_options, "-i", running.key, "-P", str(running.port)),
                source,
                target,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
    assert (running.drop / "a.csv").read_bytes() == data
    assert (tmp_path / "b.csv").read_bytes() == data


def test_it_takes_an_empty_file_and_a_name_in_spanish(running, tmp_path):
    (tmp_path / "año nuevo.csv").touch()
    running.sftp(f'put "{tmp_path}/año nuevo.csv" {HERE}/')
    assert (running.drop / "año nuevo.csv").read_bytes() == b""


@pytest.mark.skipif(not shutil.which("sshpass"), reason="sshpass is not installed")
@pytest.mark.parametrize("user", ["maria", "nobody"])
def test_it_asks_for_a_password(running, tmp_path, user):
    (tmp_path / "a.csv").write_bytes(b"a")
    ran = subprocess.run(
        [
            *("sshpass", "-p", "correct horse battery", "sftp", *running.ssh_options),
            *("-oPubkeyAuthentication=no", "-oBatchMode=no", "-oNumberOfPasswordPrompts=1"),
            *("-b", "-", "-P", str(running.port), f"{user}@127.0.0.1"),
        ],
        input=f"put {tmp_path}/a.csv {HERE}/a.csv\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode == 0) is (user == "maria"), ran.stderr
    assert (running.drop / "a.csv").exists() is (user == "maria")


def test_it_lists_and_walks_the_folders(running, tmp_path):
    (running.drop / "accounts.done.INVALIDSCHEMA").write_bytes(b"<x/>")
    ran = running.sftp("ls -1", f"cd {HERE}", "ls -l", "cd ..", "pwd", "cd ..", "pwd")
    assert "Accounts\n" in ran.stdout
    assert "Courses\n" in ran.stdout
    assert "accounts.done.INVALIDSCHEMA" in ran.stdout
    assert "working directory: /Accounts\n" in ran.stdout
    assert ran.stdout.endswith("working directory: /\n")
    assert ".parts" not in running.sftp("ls -la").stdout


def test_it_renames_and_removes_an_own_file(running, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a")
    running.sftp(f"cd {HERE}", f"put {tmp_path}/a.csv a.tmp", "rename a.tmp a.csv")
    assert running.gate.rings[-1] == (*FOLDER, "a.csv")
    running.sftp(f"cd {HERE}", f"put {tmp_path}/a.csv b.tmp", "rename b.tmp a.csv", "rm a.csv")
    assert list(running.drop.iterdir()) == []


def test_it_goes_on_with_a_part_and_with_a_complete_file(running, tmp_path):
    data = os.urandom(400_000)
    source = tmp_path / "a.csv"
    source.write_bytes(data)
    (running.drop / "b.csv").write_bytes(data[:1000])
    running.gate.upload_ended(
        running.gate.upload_opened(None, running.login, (*FOLDER, "b.csv")),
        running.login,
        (*FOLDER, "b.csv"),
        EndedUpload(Ending.COMPLETE, 1000),
    )
    running.sftp(f"cd {HERE}", f"reput {source} b.csv")
    assert (running.drop / "b.csv").read_bytes() == data


def test_what_is_outside_the_drops_is_taken_to_be_reported(running, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a")
    running.sftp(f"put {tmp_path}/a.csv /a.csv", f"put {tmp_path}/a.csv /Accounts/a.csv")
    assert running.gate.rings == [("a.csv",), ("Accounts", "a.csv")]


@pytest.mark.parametrize(
    "command",
    [
        "mkdir new",
        "rmdir Courses",
        "rename Courses Kurse",
        "rm Courses",
        "symlink Courses link",
        "ln Courses/a.csv b.csv",
        "put {a} ../outside.csv",
        "put {a} Courses/x.done.PROCESSING",
        "put {a} Courses/theirs.csv",
        "rename Courses/theirs.csv Courses/mine.csv",
        "rm Courses/running.done.PROCESSING",
        "put {a} .parts/x",
        "put {a} Nowhere/a.csv",
        "get linked {a}.stolen",
        "get ../outside.csv {a}.stolen",
    ],
)
def test_it_refuses_what_is_not_the_senders_to_do(running, tmp_path, command):
    (tmp_path / "a.csv").write_bytes(b"a")
    (tmp_path / "outside.csv").write_bytes(b"outside")
    courses = running.root / "Courses"
    for name in ("theirs.csv", "running.done.PROCESSING"):
        (courses / name).write_bytes(b"theirs")
    (running.root / "linked").symlink_to(tmp_path / "outside.csv")
    before = sorted(running.root.glob("*/*"))
    ran = running.sftp(command.format(a=tmp_path / "a.csv"), check=False)
    assert ran.returncode != 0, command
    assert sorted(running.root.glob("*/*")) == before
    assert (tmp_path / "outside.csv").read_bytes() == b"outside"
    assert (courses / "theirs.csv").read_bytes() == b"theirs"
    assert not (tmp_path / "a.csv.stolen").exists()


@pytest.mark.parametrize("command", [(), ("id",), ("scp -t /",), ("/bin/sh -c id",)])
def test_it_says_that_there_is_no_shell(running, command):
    ran = ssh(running, "maria@127.0.0.1", *command)
    assert ran.returncode == 1
    assert "SFTP only" in ran.stderr
    assert "uid=" not in ran.stdout + ran.stderr


def test_it_gives_no_terminal(running):
    ran = ssh(running, "-tt", "maria@127.0.0.1")
    assert ran.returncode != 0
    assert "PTY allocation request failed" in ran.stderr


def test_it_refuses_the_old_scp(running, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a")
    target = f"maria@127.0.0.1:{HERE}/a.csv"
    port = ["-P", str(running.port)]
    ran = subprocess.run(
        ["scp", "-O", *running.ssh_options, "-i", running.key, *port, tmp_path / "a.csv", target],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode != 0
    assert not list(running.drop.iterdir())


def test_it_connects_nobody_to_another_address(running):
    ran = ssh(running, "-W", f"127.0.0.1:{running.port}", "maria@127.0.0.1")
    assert ran.returncode != 0
    assert "administratively prohibited" in ran.stderr or "open failed" in ran.stderr


def test_it_listens_for_nobody(running):
    options = ["-oExitOnForwardFailure=yes", "-N", f"-R0:127.0.0.1:{running.port}"]
    ran = ssh(running, *options, "maria@127.0.0.1")
    assert ran.returncode != 0
    assert "forwarding failed" in ran.stderr


@pytest.mark.parametrize(
    "option",
    [
        "Ciphers=aes128-cbc",
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "MACs=hmac-sha1",
        "HostKeyAlgorithms=ssh-rsa",
        "PubkeyAcceptedAlgorithms=ssh-rsa",
    ],
)
def test_it_speaks_no_weak_algorithm(running, option):
    only = ["-oCiphers=aes128-ctr"] if option.startswith("MACs") else []
    ran = ssh(running, *only, f"-o{option}", "-oBatchMode=yes", "maria@127.0.0.1")
    assert ran.returncode == 255
    assert "SFTP only" not in ran.stderr


def test_a_client_killed_while_it_sends_leaves_a_part_that_a_resume_completes(running, tmp_path):
    data = os.urandom(60_000_000)
    source, final = tmp_path / "big.csv", running.drop / "big.csv"
    source.write_bytes(data)
    path = (*FOLDER, "big.csv")
    client = subprocess.Popen(
        [
            *("sftp", *running.ssh_options, "-l", "20000", "-i", str(running.key), "-b", "-"),
            *("-P", str(running.port), "maria@127.0.0.1"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client.stdin.write(f"put {source} {HERE}/big.csv\n".encode())
    client.stdin.flush()
    parts = running.root / ".parts"
    eventually(
        lambda: any(f.stat().st_size > 300_000 for f in parts.glob("*.part")), "a part grows"
    )
    client.kill()
    client.wait()
    client.stdin.close()
    eventually(lambda: running.gate.endings(path) == [Ending.PARTIAL], "a partial upload")
    assert not final.exists()
    assert not running.gate.rings
    (partial,) = [sent for sent in running.gate.uploads.values() if sent.path == path]
    assert 300_000 < partial.size < len(data)
    ran = running.sftp(f"ls -l {HERE}/big.csv", f"reput {source} {HERE}/big.csv")
    assert f" {partial.size} " in ran.stdout
    assert hashlib.sha256(final.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert running.gate.endings(path) == [Ending.PARTIAL, Ending.COMPLETE]
    assert not list(parts.glob("*.part"))
