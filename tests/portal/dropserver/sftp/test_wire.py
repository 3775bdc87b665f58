"""How a connection agrees on its ciphers, and keeps its stream going."""

import os
import re
import shutil
import socket
import subprocess

import pytest

HERE = "/Accounts/AccountImports"
with_openssh = pytest.mark.skipif(
    not shutil.which("sftp"), reason="OpenSSH's sftp is not installed"
)


def run(running, program, port, *arguments, commands=""):
    """OpenSSH's client, with all that it says."""
    return subprocess.run(
        [
            *(program, "-vv", *running.ssh_options, "-i", str(running.key)),
            *(port, str(running.port), *arguments, "maria@127.0.0.1"),
        ],
        input=commands,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def agreed(running, ciphers):
    """The cipher each way, as OpenSSH's client tells it."""
    output = run(running, "ssh", "-p", f"-oCiphers={ciphers}").stderr
    return re.findall(r"kex: \S+ cipher: (\S+) MAC", output)


@with_openssh
def test_a_client_that_knows_gcm_gets_it_though_it_names_ctr_first(running):
    ciphers = "aes256-ctr,aes128-ctr,aes256-gcm@openssh.com,aes128-gcm@openssh.com"
    assert agreed(running, ciphers) == ["aes256-gcm@openssh.com"] * 2


@with_openssh
def test_a_client_without_gcm_gets_what_it_names_first(running):
    assert agreed(running, "aes192-ctr,aes128-ctr") == ["aes192-ctr"] * 2


@with_openssh
def test_new_keys_in_the_middle_of_a_file_change_nothing_of_it(running, tmp_path):
    data = os.urandom(8_000_000)
    (tmp_path / "a.csv").write_bytes(data)
    commands = f"put {tmp_path}/a.csv {HERE}/\nget {HERE}/a.csv {tmp_path}/back.csv\n"
    ran = run(running, "sftp", "-P", "-oRekeyLimit=1M", "-b", "-", commands=commands)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert (tmp_path / "back.csv").read_bytes() == data
    assert ran.stderr.count("SSH2_MSG_NEWKEYS sent") > 8


def test_a_client_that_waits_for_the_servers_proposal_gets_it_whole(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"SSH-2.0-Patient_1.0\r\n")
        heard = b""
        while b"aes128-ctr" not in heard:
            more = client.recv(65536)
            assert more, "the server closed the connection"
            heard += more
    assert b"aes128-gcm@openssh.com" in heard


def test_a_client_that_leaves_before_the_proposal_leaves_nothing(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"SSH-2.0-Hasty_1.0\r\n")
        assert client.recv(100).startswith(b"SSH-2.0-")
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"SSH-2.0-Patient_1.0\r\n")  # a second later the first would have been told
        heard = client.recv(100)
        while b"aes128-ctr" not in heard:
            heard += client.recv(65536)
    assert running.server.connections <= 1


def test_a_proposal_that_is_cut_off_ends_the_connection_with_words(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"SSH-2.0-Broken_1.0\r\n")
        payload = bytes([20]) + os.urandom(16) + (1 << 20).to_bytes(4, "big")
        padding = 8 - (5 + len(payload)) % 8 + 8
        packet = bytes([padding]) + payload + bytes(padding)
        client.sendall(len(packet).to_bytes(4, "big") + packet)
        heard = b""
        while more := client.recv(65536):
            heard += more
    assert heard.startswith(b"SSH-2.0-")
