"""`manage.py up` as a user runs it: real processes, from the first start to the last stop."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from portal.runtime.program import ROOT
from tests import embedded

START_SECONDS = 300
FREE = ["--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0", "--no-demo"]
OURS = ("DATABASE", "REDIS", "SECRET_KEY", "VAULT_KEYS", "DATA_DIR", "ALLOWED", "PYTEST", "DJANGO")
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]

pytestmark = pytest.mark.faults


class Up:
    """One launcher and what it has started."""

    def __init__(self, data: Path, prefix=(), python=sys.executable, **environment: str) -> None:
        self.data = data
        base = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        self.log = (data.parent / f"up-{time.monotonic_ns()}.txt").open("w+")
        self.process = subprocess.Popen(
            [*prefix, python, "manage.py", "up", "--data", str(data), *FREE],
            cwd=ROOT, env=base | environment, stdout=self.log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def ready(self) -> dict:
        """Wait until it has announced itself."""
        path, deadline = self.data / "up.json", time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            # One of an earlier launcher may still lie there after a kill -9.
            if path.exists() and json.loads(path.read_text())["pids"]["up"] == self.process.pid:
                return json.loads(path.read_text())
            time.sleep(0.05)

    def output(self) -> str:
        return Path(self.log.name).read_text()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        """Send a signal to the launcher only; nobody of its family may live on."""
        family = self.family()
        assert len(family) >= 6
        self.process.send_signal(number)
        status = self.process.wait(timeout=180)
        _, left = psutil.wait_procs(family, timeout=30)
        assert left == [], self.output()
        return status


@pytest.fixture
def up(request):
    started: list[Up] = []

    def start(*arguments, **more) -> Up:
        started.append(Up(*arguments, **more))
        return started[-1]

    yield start
    for product in started:
        if product.process.poll() is None:
            product.process.terminate()
            product.process.wait(timeout=180)
        product.log.close()


def sockets_of(content: dict) -> Path:
    """The socket directory of an embedded launcher."""
    return Path(content["database_url"].partition("?host=")[2])


def answers(content: dict) -> bool:
    with urllib.request.urlopen(content["web"] + "readyz") as response:  # noqa: S310
        assert response.status == 200
    target = (content["sftp"]["host"], content["sftp"]["port"])
    with socket.create_connection(target, timeout=10) as client:
        return client.recv(8) == b"SSH-2.0-"


def test_a_life_in_a_long_path_with_spaces(up, tmp_path):
    data = tmp_path.joinpath(*["a folder with spaces and a long name"] * 4) / "var"
    data.parent.mkdir(parents=True)
    first = up(data)
    content = first.ready()
    assert answers(content)
    assert stat.S_IMODE((data / "up.json").stat().st_mode) == 0o600
    assert set(content["pids"]) == {
        *("up", "postgres", "valkey", "worker", "collector", "courier", "beat", "drop", "web")
    }
    assert all(psutil.pid_exists(pid) for pid in content["pids"].values())

    second = subprocess.run(
        [sys.executable, "manage.py", "up", "--data", str(data), *FREE],
        cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"Another launcher (process {first.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr

    # The worker's and gunicorn's own children are in this family too.
    assert first.end(signal.SIGKILL) == -signal.SIGKILL

    warm = up(data)
    again = warm.ready()
    assert answers(again)
    assert again["sftp"]["fingerprint"] == content["sftp"]["fingerprint"]
    assert again["database_url"] == content["database_url"]
    assert "Applying" not in warm.output()
    assert warm.end(signal.SIGTERM) == 0
    assert not (data / "up.json").exists()
    stops = [line.split("| ")[1] for line in warm.output().splitlines() if "stopped (" in line]
    order = [line.split()[0] for line in stops]
    assert order == [
        *("web", "drop", "beat", "courier", "collector", "worker", "valkey", "postgres")
    ]
    assert not [line for line in stops if "killed" in line], stops
    assert not sockets_of(content).exists()


def test_given_servers_are_used_instead_of_embedded_ones_and_ctrl_c_stops_all(
    up, tmp_path, servers
):
    launcher = up(
        tmp_path / "var",
        DATABASE_URL=f"postgres://causeway@/causeway?host={servers}",
        REDIS_URL=settings.REDIS_URL,
    )
    content = launcher.ready()
    assert answers(content)
    assert set(content["pids"]) == {"up", "worker", "collector", "courier", "beat", "drop", "web"}
    assert not (tmp_path / "var" / "postgres").exists()
    assert not (tmp_path / "var" / "valkey").exists()
    assert content["database_url"].endswith(str(embedded.run_directory()))
    assert launcher.end(signal.SIGINT) == 0


def reachable_python() -> str:
    """A Python that nobody may run, with our packages."""
    for python in (sys.executable, "/usr/bin/python3.11"):
        probe = subprocess.run(
            # Through a shell: setpriv's own exec is still root's.
            [*NOBODY, "sh", "-c", f"exec '{python}' -c 'import django, psycopg, portal.runtime'"],
            cwd=ROOT, env={"PYTHONPATH": packages(), "PATH": "/usr/bin:/bin"}, capture_output=True,
        )  # fmt: skip
        if probe.returncode == 0:
            return python
    pytest.skip("the user nobody may not enter the folder of this Python or of the project")


def packages() -> str:
    return os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests ran as an ordinary user already")
def test_an_ordinary_user_can_run_it(up, tmp_path_factory):
    python = reachable_python()
    home = Path(
        subprocess.check_output(["mktemp", "-d", "/tmp/cwnobody-XXXXXX"], text=True).strip()
    )
    os.chown(home, 65534, 65534)
    try:
        launcher = up(
            home / "var", prefix=NOBODY, python=python,
            PYTHONPATH=packages(), HOME=str(home), PYTHONDONTWRITEBYTECODE="1",
        )  # fmt: skip
        content = launcher.ready()
        assert answers(content)
        assert {p.uids().real for p in launcher.family()} == {65534}
        assert launcher.end(signal.SIGINT) == 0
        assert not sockets_of(content).exists()
    finally:
        subprocess.run(["rm", "-rf", "--", str(home)], check=True)
