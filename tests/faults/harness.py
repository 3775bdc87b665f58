"""The product's real processes for the fault tests: started, killed, frozen and cut off here.

One rig per test run (and xdist worker): an own PostgreSQL cluster, an own Valkey, an own data
directory. Worker, beat and drop server are the programs that `manage.py up` starts, with shorter
leases, so that minutes become seconds; the ratios are the product's. All of them die with the test
run (`portal/runtime/leash.py`).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings
from kombu import Connection

from portal import bell
from portal.celery import app
from portal.runtime import processes
from portal.runtime.datadir import DataDirectory
from portal.runtime.identity import for_postgres
from portal.runtime.keys import Keys
from portal.runtime.ports import reserve
from portal.runtime.postgres import PostgresServer
from portal.runtime.program import LEASH, ROOT, Program
from portal.runtime.supervisor import RESTART_DELAYS
from portal.runtime.valkey import ValkeyServer
from tests import embedded

T = TypeVar("T")
LEASE, HEARTBEAT, SWEEP = 4, 1, 1
START_SECONDS = 60.0
RESUME_SECONDS = 90.0  # reliability.md, A1 and A2: no interruption may cost more
# A crash must lose nothing that was committed: a row that is forgotten leaves its file behind.
DURABLE = embedded.FAST | {"synchronous_commit": "on"}
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def eventually(condition: Callable[[], T], what: str, seconds: float = RESUME_SECONDS) -> T:
    """Ask until the answer is true and return it. Fails with `what` when time is up."""
    deadline = time.monotonic() + seconds
    while not (row := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)
    return row


class Process:
    """One of the product's programs, started as the launcher starts it."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program, self.log = program, log
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self) -> "Process":
        """Start it, and wait until it answers where it can tell."""
        program = self.program
        if program.prepare is not None:
            program.prepare()
        leash = (sys.executable, "-P", str(LEASH), str(os.getpid()), str(int(program.death_signal)))
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                [*program.identity, *leash, *program.command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=program.directory,
                env=dict(program.environment), start_new_session=True,
            )  # fmt: skip
        if program.is_ready is not None:
            eventually(self._answers, f"{program.name} answers: {self.output()}", START_SECONDS)
        return self

    def _answers(self) -> bool:
        assert self.is_running, self.output()
        return bool(self.program.is_ready and self.program.is_ready())

    def output(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal its whole process group and wait for the main process."""
        if self.is_running:
            os.killpg(self.pid, number)
            assert self.popen is not None
            self.popen.wait(START_SECONDS)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it, and kill it in the end."""
        self.start()
        try:
            yield
        finally:
            self.kill()

    def signal(self, number: int) -> None:
        """Signal the main process only, as the launcher does."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return how it ended."""
        assert self.popen is not None
        return self.popen.wait(seconds)

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Start it again when it ends, as the launcher does (`portal/runtime/supervisor.py`)."""
        done = threading.Event()

        def look_after() -> None:
            while not done.wait(RESTART_DELAYS[0]):
                if not self.is_running:
                    print(f"{self.program.name} died; starting it again")
                    self.start()

        keeper = threading.Thread(target=look_after, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join(START_SECONDS)

    def children(self) -> list[psutil.Process]:
        """Its children: of the worker the processes that run tasks."""
        return psutil.Process(self.pid).children(recursive=True)

    def memory(self) -> int:
        """Resident bytes of the process and its children, shared pages of forks not counted."""
        family = [psutil.Process(self.pid), *self.children()]
        return family[0].memory_info().rss + sum(p.memory_full_info().uss for p in family[1:])


class Rig:
    """Servers, addresses and programs of one test run."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cwf-"))
        self.data = self.root / "data"
        self.logs = self.root / "log"
        self.logs.mkdir()
        keys = Keys(self.root / "keys")
        keys.ensure(has_data=False)
        sockets = self.root / "s"
        sockets.mkdir(mode=0o700)
        broker_sockets = self.root / "b"
        broker_sockets.mkdir(mode=0o700)
        cluster = self.root / "pg"
        self.postgres_server = PostgresServer(cluster, sockets, for_postgres(cluster), DURABLE)
        self.broker_server = ValkeyServer(self.root / "valkey", broker_sockets)
        self.sftp = reserve("127.0.0.1:0", "--sftp")
        self.host_key = keys.host_key
        self.postgres = Process(self.postgres_server.program(), self.logs / "postgres")
        self.broker = Process(self.broker_server.program(), self.logs / "valkey")
        self.worker = self.new_worker()
        self.intake = self.new_intake()
        self.courier = self.new_courier()
        self.beat = Process(
            processes.beat(self.environment(), self._data_directory()), self.logs / "beat"
        )
        self.drop = Process(processes.drop(self.environment(), self.sftp), self.logs / "drop")

    def _data_directory(self) -> DataDirectory:
        self.data.mkdir(mode=0o700, exist_ok=True)
        return DataDirectory(self.data)

    def environment(self, **more: str) -> dict[str, str]:
        """What the product's processes are told."""
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": self.postgres_server.url,
            "REDIS_URL": self.broker_server.url,
            "DATA_DIR": str(self.data),
            "SECRET_KEY": embedded.KEY,
            "VAULT_KEYS": embedded.VAULT,
            "LEASE_SECONDS": str(LEASE),
            "HEARTBEAT_SECONDS": str(HEARTBEAT),
            "SWEEP_SECONDS": str(SWEEP),
            "DEAF_SECONDS": "20",
            "EXPORT_ALLOWED_NETWORKS": "127.0.0.0/8",
            "EXPORT_TICK_SECONDS": str(SWEEP),
            "SFTP_BIND": self.sftp.bind,
            "SFTP_HOST_KEY_FILE": str(self.host_key),
            "PYTHONUNBUFFERED": "1",
            **more,
        }

    def new_worker(self, **more: str) -> Process:
        """A worker, not started."""
        return Process(processes.worker(self.environment(**more)), self.logs / "worker")

    def new_intake(self, **more: str) -> Process:
        """A worker that collects, not started."""
        return Process(processes.collector(self.environment(**more)), self.logs / "intake")

    def new_courier(self, **more: str) -> Process:
        """A courier, not started."""
        return Process(processes.courier(self.environment(**more)), self.logs / "courier")

    def collector(self, tenant_id: int, rounds: int) -> Process:
        """A process that goes `rounds` times through a tenant's folders. Not started."""
        script = str(Path(__file__).with_name("collector.py"))
        command = (sys.executable, script, str(tenant_id), str(rounds))
        environment = self.environment(PYTHONPATH=str(ROOT))
        return Process(Program("collector", command, environment), self.logs / "collector")

    # --- its life

    def start(self) -> None:
        """Start the servers and make the schema."""
        self.postgres.start()
        self.broker.start()
        with self.here():
            call_command("migrate", interactive=False, verbosity=0)

    def ensure(self, *programs: Process) -> None:
        """Start what does not run."""
        for process in (self.postgres, self.broker, *programs):
            if not process.is_running:
                process.start()

    def end(self) -> None:
        """Stop everything and leave nothing behind."""
        for process in (
            self.drop,
            self.beat,
            self.courier,
            self.intake,
            self.worker,
            self.broker,
            self.postgres,
        ):
            process.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Let this process use the rig's database (as its owner, so across tenants) and files."""
        target = connections["default"].settings_dict
        kept = dict(target)
        connection.close()
        target.update(
            NAME="causeway", USER="causeway", PASSWORD="", PORT="",
            HOST=str(self.postgres_server.sockets), OPTIONS={},
        )  # fmt: skip
        paths = {
            "DROPS_DIR": self.data / "drops",
            "SPOOL_DIR": self.data / "spool",
            "MEDIA_ROOT": self.data / "files",
            "DATABASE_ROLE": "",
        }
        try:
            with override_settings(**paths):
                yield
        finally:
            connection.close()
            target.clear()
            target.update(kept)

    def connect(self) -> psycopg.Connection:
        """A connection of the test's own, as the database's superuser."""
        return psycopg.connect(
            host=str(self.postgres_server.sockets), user="postgres", dbname="causeway"
        )

    # --- bells

    def ring(self, task: str, tenant_id: int, times: int = 1) -> None:
        """Send a task's message, as often as asked."""
        with Connection(self.broker_server.url) as broker:
            for _ in range(times):
                app.send_task(task, args=[tenant_id], ignore_result=True, connection=broker)

    def ring_poll(self, tenant_id: int) -> None:
        """As the drop server does when an upload has ended."""
        self.ring(bell.POLL, tenant_id)

    # --- faults

    def kill_broker(self) -> None:
        """kill -9, and everything that it knew is gone."""
        self.broker.kill()
        shutil.rmtree(self.broker_server.directory)

    def crash_database(self) -> None:
        """PostgreSQL's immediate shutdown: no checkpoint, recovery at the next start."""
        self.postgres.kill(signal.SIGQUIT)

    def terminate_backends(self, where: str = "true") -> int:
        """pg_terminate_backend for all of the product's connections. Returns how many."""
        with self.connect() as mine:
            mine.autocommit = True
            row = mine.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
                f"AND pid <> {self._own_backend()} AND {where}"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def _own_backend(self) -> int:
        return connection.connection.info.backend_pid if connection.connection else 0


class Lock:
    """A table lock held by the test's own connection: work that needs the table waits for it."""

    def __init__(self, rig: Rig, mode: str, table: str = "portal_record") -> None:
        self._connection = rig.connect()
        self._statement = f"LOCK TABLE {table} IN {mode} MODE"
        self._thread: threading.Thread | None = None

    def take(self) -> "Lock":
        """Take it now."""
        self._connection.execute(self._statement)
        return self

    def queue(self) -> "Lock":
        """Stand in the queue for it; granted when those before have ended."""
        self._thread = threading.Thread(target=self.take, daemon=True)
        self._thread.start()
        return self

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give it back. May be called twice."""
        if self._thread is not None:
            self._thread.join(START_SECONDS)
        self._connection.close()
