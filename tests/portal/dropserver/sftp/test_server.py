"""Logins, limits, quiet clients and the end of the server."""

import io
import os
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest
from paramiko.sftp import CMD_CLOSE

from portal.dropserver.gate import AccountLimits, Ending
from portal.dropserver.parts import UploadPart
from portal.dropserver.sftp.server import CIPHERS, KEY_EXCHANGES, MACS, SIGNATURES, Rules
from tests.portal.dropserver.conftest import FOLDER, PASSWORD, eventually

HERE = "/Accounts/AccountImports"
RIGHT = "correct horse battery"


def login(running, username="maria", password=RIGHT):
    """A transport that is logged in. Raises AuthenticationException, SSHException."""
    transport = paramiko.Transport(("127.0.0.1", running.port))
    try:
        transport.connect(username=username, password=password)
    except BaseException:
        transport.close()
        raise
    return transport


def test_it_bans_after_ten_failures_and_lets_in_after_the_ban(start):
    now = [0.0]
    running = start(Rules(), failures=10, ban=600, clock=lambda: now[0])
    for _ in range(10):
        with pytest.raises(paramiko.AuthenticationException):
            login(running, password="wrong")
    with paramiko.Transport(("127.0.0.1", running.port)) as transport:
        transport.start_client()
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_password("maria", PASSWORD)
        assert b"Too many logins have failed here" in transport.get_banner()
    now[0] = 601
    login(running).close()


def test_it_answers_alike_for_known_and_unknown_names(running):
    texts, methods = set(), set()
    for name in ("maria", "nobody", "Máximo", "x" * 1000):
        with pytest.raises(paramiko.AuthenticationException) as refused:
            login(running, name, "wrong")
        texts.add(str(refused.value))
        with paramiko.Transport(("127.0.0.1", running.port)) as transport:
            transport.start_client()
            with pytest.raises(paramiko.BadAuthenticationType) as asked:
                transport.auth_none(name)
            methods.add(tuple(sorted(asked.value.allowed_types)))
    assert len(texts) == 1
    assert len(methods) == 1
    assert {"password", "publickey"} <= set(*methods)


def test_it_refuses_an_unknown_key(running):
    with paramiko.Transport(("127.0.0.1", running.port)) as transport:
        transport.start_client()
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey("maria", paramiko.RSAKey.generate(2048))
        assert not transport.is_authenticated()


def test_it_ends_a_connection_that_tries_one_password_after_the_other(running):
    with paramiko.Transport(("127.0.0.1", running.port)) as transport:
        transport.start_client()
        tried = 0
        with pytest.raises((paramiko.SSHException, EOFError)) as ended:
            for tried in range(1, 20):
                try:
                    transport.auth_password("maria", f"wrong {tried}", fallback=False)
                except paramiko.AuthenticationException:
                    if not transport.is_active():
                        raise
        assert tried <= 8, ended


def test_it_shows_no_version_and_no_banner(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        assert client.recv(100) == b"SSH-2.0-Causeway\r\n"


def test_it_closes_sockets_that_say_nothing(start):
    running = start(Rules(login_timeout=1))
    began = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
    eventually(lambda: running.server.connections == 50, "all are connected")
    for client in silent:
        client.settimeout(10)
        while client.recv(1000):
            pass
        client.close()
    assert 0.9 < time.monotonic() - began < 8
    eventually(lambda: running.server.connections == 0, "none is left")


def test_it_ends_an_idle_session_but_not_one_that_transfers(start):
    running = start(Rules(idle_timeout=1))
    idle, busy = login(running), login(running)
    quiet = paramiko.SFTPClient.from_transport(idle)
    quiet.listdir("/")
    with paramiko.SFTPClient.from_transport(busy).open(f"{HERE}/a.csv", "wb") as file:
        while idle.is_active():
            file.write(b"x")
            file.flush()
            file.stat()
            time.sleep(0.01)
        assert busy.is_active()
    assert (running.drop / "a.csv").stat().st_size > 10
    reasons = [reason for reason in running.gate.sessions.values() if reason]
    assert reasons == ["No request for 1 seconds."]
    busy.close()


def test_it_limits_connections_of_an_address(start):
    running = start(Rules(connections_of_address=2))
    kept = [login(running), login(running)]
    with pytest.raises((paramiko.SSHException, EOFError, OSError)):
        login(running)
    kept.pop().close()
    eventually(lambda: running.server.connections == 1, "one is gone")
    login(running).close()
    kept.pop().close()


def test_it_limits_connections_in_all(start):
    running = start(Rules(connections=1))
    with login(running), pytest.raises((paramiko.SSHException, EOFError, OSError)):
        login(running)


def test_it_limits_sessions_of_an_account(running):
    running.admit("pedro", limits=AccountLimits(sessions=1))
    with login(running, "pedro") as first:
        with pytest.raises((paramiko.SSHException, EOFError)):
            paramiko.SFTPClient.from_transport(login(running, "pedro"))
        assert paramiko.SFTPClient.from_transport(first).listdir("/")
        login(running, "maria").close()


def test_it_limits_open_files(running):
    running.admit("pedro", limits=AccountLimits(open_files=3))
    with login(running, "pedro") as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        files = [sftp.open(f"{HERE}/{number}.csv", "wb") for number in range(3)]
        with pytest.raises(OSError, match="At most 3 files"):
            sftp.open(f"{HERE}/4.csv", "wb")
        files.pop().close()
        sftp.open(f"{HERE}/4.csv", "wb").close()


def test_open_files_are_limited_over_all_sessions_and_channels_of_an_account(running):
    running.admit("pedro", limits=AccountLimits(open_files=5, channels=3))
    with login(running, "pedro") as first, login(running, "pedro") as second:
        clients = [paramiko.SFTPClient.from_transport(first) for _ in range(3)]
        with pytest.raises(paramiko.SSHException):
            first.open_session(timeout=5)
        clients.append(paramiko.SFTPClient.from_transport(second))
        files = [clients[at].open(f"{HERE}/{n}.csv", "wb") for n, at in enumerate((0, 0, 1, 2, 3))]
        with pytest.raises(OSError, match="At most 5 files"):
            clients[3].open(f"{HERE}/more.csv", "wb")
        files.pop().close()
        clients[3].open(f"{HERE}/more.csv", "wb").close()
        clients.pop(0).close()
        eventually(lambda: _opens(first), "a channel that is closed makes room for another")


def _opens(transport):
    try:
        paramiko.SFTPClient.from_transport(transport).close()
    except paramiko.SSHException:
        return False
    return True


def test_one_senders_open_files_do_not_lock_out_another(start):
    running = start(Rules(open_files=4))
    running.admit("pedro", limits=AccountLimits(open_files=3))
    with login(running, "pedro") as greedy, login(running) as other:
        greedy_files = paramiko.SFTPClient.from_transport(greedy)
        files = [greedy_files.open(f"{HERE}/{number}.csv", "wb") for number in range(3)]
        with pytest.raises(OSError, match="At most 3 files"):
            greedy_files.open(f"{HERE}/4.csv", "wb")
        sftp = paramiko.SFTPClient.from_transport(other)
        held = sftp.open(f"{HERE}/a.csv", "wb")
        with pytest.raises(OSError, match="Try again in a minute"):
            sftp.open(f"{HERE}/b.csv", "wb")
        assert len(files) == 3
        held.close()


@pytest.mark.parametrize("offset", [5, 900_000_000_000, (1 << 36) - 10])
def test_a_file_with_a_hole_gets_no_name(running, offset):
    with login(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        file = sftp.open(f"{HERE}/a.csv", "wb")
        file.seek(offset)
        with pytest.raises(OSError, match=r"were not sent|larger than"):
            file.write(b"abcd")
            sftp._request(CMD_CLOSE, file.handle)  # the library's close hides what it is told
    eventually(lambda: running.server.connections == 0, "the session is over")
    assert list(running.drop.iterdir()) == []
    assert sum(path.stat().st_size for path in (running.root / ".parts").iterdir()) == 0


def test_blocks_may_come_in_any_order(running):
    data = os.urandom(1_000_000)
    blocks = [(at, data[at : at + 30_000]) for at in range(0, len(data), 30_000)]
    random.Random(7).shuffle(blocks)
    with login(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        with sftp.open(f"{HERE}/a.csv", "wb") as file:
            for at, block in blocks:
                file.seek(at)
                file.write(block)
    assert (running.drop / "a.csv").read_bytes() == data


def test_it_limits_the_size_of_a_file(running):
    running.admit("pedro", limits=AccountLimits(upload_bytes=100_000))
    with login(running, "pedro") as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        with sftp.open(f"{HERE}/a.csv", "wb") as file:
            file.write(b"x" * 100_000)
            with pytest.raises(OSError, match="larger than this account is allowed to send"):
                file.write(b"x")
        sftp.putfo(io.BytesIO(b"x" * 100_000), f"{HERE}/b.csv")
    assert [file.name for file in running.drop.iterdir()] == ["b.csv"]


def test_it_lets_a_transfer_finish_when_it_is_stopped(running):
    transport, idle = login(running), login(running)
    file = paramiko.SFTPClient.from_transport(transport).open(f"{HERE}/a.csv", "wb")
    file.write(b"first ")
    file.flush()
    stopping = threading.Thread(target=running.run, args=(running.server.stop(20),))
    stopping.start()
    eventually(lambda: not idle.is_active(), "the idle session is ended")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port))
    file.write(b"second")
    file.close()
    stopping.join(10)
    assert not stopping.is_alive()
    assert (running.drop / "a.csv").read_bytes() == b"first second"
    assert running.gate.endings((*FOLDER, "a.csv")) == [Ending.COMPLETE]


def test_it_answers_a_file_that_is_being_closed_before_it_stops(running, monkeypatch):
    closing, may_finish, finish = threading.Event(), threading.Event(), UploadPart.finish

    def slow(part, **options):
        closing.set()
        assert may_finish.wait(20)
        return finish(part, **options)

    monkeypatch.setattr(UploadPart, "finish", slow)
    transport, idle = login(running), login(running)
    file = paramiko.SFTPClient.from_transport(transport).open(f"{HERE}/a.csv", "wb")
    file.write(b"whole")
    with ThreadPoolExecutor() as pool:
        closed = pool.submit(file.close)
        assert closing.wait(20)
        stopped = pool.submit(running.run, running.server.stop(20))
        eventually(lambda: not idle.is_active(), "the idle session is ended")
        may_finish.set()
        closed.result(20)
        stopped.result(20)
    assert running.gate.endings((*FOLDER, "a.csv")) == [Ending.COMPLETE]


def test_it_records_what_did_not_finish_in_time_as_partial(running):
    transport = login(running)
    file = paramiko.SFTPClient.from_transport(transport).open(f"{HERE}/a.csv", "wb")
    file.write(b"first ")
    file.flush()
    file.stat()
    running.run(running.server.stop(0.2))
    assert running.gate.endings((*FOLDER, "a.csv")) == [Ending.PARTIAL]
    assert not (running.drop / "a.csv").exists()
    transport.close()


def test_a_client_that_does_not_take_its_answers_fills_no_memory(running):
    size = 16_000_000
    with (running.drop / "large.csv").open("wb") as file:
        file.truncate(size)
    with login(running) as transport:
        sftp = paramiko.SFTPClient.from_transport(transport)
        (connection,) = running.server._connections
        waiting = connection._channels[0].files.channel.get_write_buffer_size
        with sftp.open(f"{HERE}/large.csv", "rb") as file:
            file.prefetch(size)  # asks for everything, takes nothing until it is read
            eventually(lambda: waiting() > 0, "answers wait for the client")
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                assert waiting() < 2_000_000
                time.sleep(0.01)  # the server is a thread of this process and needs its turn
            # In pieces: Paramiko takes minutes to put a large one together.
            assert sum(len(piece) for piece in iter(lambda: file.read(65_536), b"")) == size


def test_many_sessions_at_once_leave_nothing_open(running):
    before = len(list(os.scandir("/proc/self/fd")))
    wrong = []

    def send(number):
        try:
            with login(running) as transport:
                sftp = paramiko.SFTPClient.from_transport(transport)
                sftp.putfo(io.BytesIO(bytes([number]) * 50_000), f"{HERE}/{number}.csv")
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert {file.read_bytes() for file in running.drop.iterdir()} == {
        bytes([number]) * 50_000 for number in range(20)
    }
    eventually(lambda: running.server.connections == 0, "none is left")
    eventually(
        lambda: len(list(os.scandir("/proc/self/fd"))) <= before, "no descriptor is left open"
    )


def test_its_algorithms_hold_nothing_weak():
    for name in (*KEY_EXCHANGES, *CIPHERS, *MACS, *SIGNATURES):
        assert not name.endswith(("sha1", "cbc", "-dss")), name
        assert "md5" not in name, name
        assert name != "ssh-rsa"


def test_the_jail_and_the_rules_know_neither_asyncssh_nor_django():
    modules = ["paths", "jail", "parts", "rights", "gate"]
    script = "import sys\n" + "".join(f"import portal.dropserver.{name}\n" for name in modules)
    script += "print(sorted({'asyncssh', 'django.db', 'pyftpdlib'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
