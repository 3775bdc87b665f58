"""PostgreSQL and Valkey for a test run: started by the first test that asks, ended with the run.

The addresses are known from the beginning, so that settings can be loaded; the servers start when a
test first needs them, once for all xdist workers. They belong to a keeper process that watches the
test run's controller: however that ends, kill -9 included, the keeper stops them and removes the
directory.

As a script: ``embedded.py DIRECTORY CONTROLLER_PID``.
"""

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = "CAUSEWAY_TEST_RUN"
START_SECONDS = 60.0
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}
KEY = "only-for-tests-0123456789012345678901234567890123456789"
VAULT = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def run_directory() -> Path:
    """The run's directory, named by its controller and inherited by its workers."""
    if RUN not in os.environ:
        name = f"cwtest-{os.getpid()}-{time.time_ns() % 1_000_000}"
        os.environ[RUN] = f"{Path(tempfile.gettempdir()) / name}:{os.getpid()}"
    return Path(os.environ[RUN].rpartition(":")[0])


def controller() -> int:
    """The process id that the servers live for."""
    return int(os.environ[RUN].rpartition(":")[2])


def set_environment() -> None:
    """What settings need, before they are loaded. Each xdist worker has a Valkey of its own."""
    run = run_directory()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    for name in list(os.environ):
        if name.endswith("_FILE") or name in {"DEBUG", "HTTPS", "DROPS_DIR", "SPOOL_DIR"}:
            del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": f"postgres://causeway@/causeway?host={run}",
        # Tables are made by the owner; the tests then act as the role that policies bind.
        "DATABASE_ROLE": "",
        "REDIS_URL": f"redis+socket://{run}/broker-{worker}/valkey.sock",
        "DATA_DIR": str(run / f"data-{worker}"),
        "SECRET_KEY": KEY,
        "VAULT_KEYS": VAULT,
        "LOG_FORMAT": "json",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],testserver",
    }


def ensure_servers() -> Path:
    """Start the servers unless another worker has; return the run's directory."""
    run = run_directory()
    run.mkdir(mode=0o700, exist_ok=True)
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "ready").exists():
            start_keeper(run)
    return run


def start_keeper(run: Path) -> None:
    """Start the keeper and wait for its word. Raises RuntimeError with its output."""
    with (run / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, __file__, str(run), str(controller())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=ROOT,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while not (run / "ready").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((run / "keeper.log").read_text(errors="replace"))
        time.sleep(0.02)
    # It is not this process's to wait for: the controller's end ends it.
    keeper.returncode = 0


def keep(run: Path, pid: int) -> None:
    """The keeper: both servers, until the controller has gone."""
    sys.path.insert(0, str(ROOT))
    from portal.runtime.identity import for_postgres  # noqa: PLC0415 - needs the path
    from portal.runtime.output import Silence  # noqa: PLC0415
    from portal.runtime.postgres import PostgresServer  # noqa: PLC0415
    from portal.runtime.stopping import SignalWatch  # noqa: PLC0415
    from portal.runtime.supervisor import Supervisor  # noqa: PLC0415

    try:
        with SignalWatch() as doorbell:
            supervisor = Supervisor(run / "log", Silence(), doorbell)
            postgres = PostgresServer(run / "pg", run, for_postgres(run / "pg"), FAST)
            try:
                supervisor.start(postgres.program())
                for number in range(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))):
                    start_broker(supervisor, run / f"broker-{number}")
                make_role(postgres.url)
                (run / "ready").touch()
                ended = os.pidfd_open(pid)
                select.select([ended, doorbell.reader], [], [])
            finally:
                supervisor.stop()
    finally:
        shutil.rmtree(run, ignore_errors=True)


def start_broker(supervisor, directory: Path) -> None:  # type: ignore[no-untyped-def]
    """A broker for one xdist worker, so that no worker takes another's messages."""
    from portal.runtime.valkey import ValkeyServer  # noqa: PLC0415

    directory.mkdir(mode=0o700)
    program = ValkeyServer(directory / "files", directory).program()
    supervisor.start(replace(program, name=directory.name))


def make_role(url: str) -> None:
    """Make the runtime role beforehand: two workers that migrate at once would collide in it."""
    import psycopg  # noqa: PLC0415 - the keeper's only

    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE causeway_app NOLOGIN NOBYPASSRLS")
        connection.execute("GRANT causeway_app TO causeway")


def discard() -> None:
    """At the end of a run without servers nothing is left; with servers the keeper clears up."""
    run = run_directory()
    if run.exists() and not (run / "ready").exists():
        shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep(Path(sys.argv[1]), int(sys.argv[2]))
