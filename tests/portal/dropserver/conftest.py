"""A real server on a free port in a thread of its own, over a gate that keeps all in memory."""

import asyncio
import subprocess
import threading
import time
from pathlib import Path

import asyncssh
import pytest

from portal.dropserver.jail import Jail
from portal.dropserver.memory import MemoryGate
from portal.dropserver.sftp.server import DropServer

PASSWORD = "correct horse battery"
FOLDER = ("Accounts", "AccountImports")


def eventually(condition, what, seconds=10):
    ends = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return value


class Running:
    """A drop server in a thread, and what a client needs to reach it."""

    def __init__(self, folder, rules=None, gate=None, make_gate=None):
        self.root = folder / "root"
        self.root.mkdir()
        with Jail(self.root) as jail:
            jail.make_directory(FOLDER)
            jail.make_directory(("Courses",))
        self.drop = self.root.joinpath(*FOLDER)
        self.key = folder / "id_ed25519"
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(self.key)
        self.key.chmod(0o600)
        self.public = " ".join(key.export_public_key("openssh").decode().split()[:2])
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_public = " ".join(host_key.export_public_key("openssh").decode().split()[:2])
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.gate = self.run(make_gate()) if make_gate else gate or MemoryGate()
        self.server = DropServer(self.gate, rules)
        self.run(self.server.start("127.0.0.1", 0, host_key))
        self.port = self.server.port
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self.host_public}\n")

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def admit(self, username="maria", **rest):
        self.login = self.gate.add(
            username, str(self.root), password=PASSWORD, keys=(self.public,), **rest
        )
        return self.login

    def stop(self, grace=0):
        self.run(self.server.stop(grace))
        eventually(lambda: self.server.connections == 0, "all connections are gone")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    @property
    def ssh_options(self):
        options = {
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "ConnectTimeout": "10",
        }
        return ["-F", "none", *(f"-o{name}={value}" for name, value in options.items())]

    def sftp(self, *commands, user="maria", check=True, key=None):
        """Run OpenSSH's client in batch mode with the account's key."""
        ran = subprocess.run(
            [
                *("sftp", *self.ssh_options, "-i", str(key or self.key), "-b", "-"),
                *("-P", str(self.port), f"{user}@127.0.0.1"),
            ],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or ran.returncode == 0, ran.stderr
        return ran


@pytest.fixture
def running(tmp_path: Path):
    server = Running(tmp_path)
    server.admit()
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path: Path):
    """Start a server with rules of one's own."""
    started = []

    def _start(rules, **gate):
        server = Running(tmp_path, rules, MemoryGate(**gate))
        server.admit()
        started.append(server)
        return server

    yield _start
    for server in started:
        server.stop()
