"""The whole product on one machine: from a data directory to programs that answer."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from portal.runtime import announce, processes, surroundings
from portal.runtime.datadir import DataDirectory
from portal.runtime.identity import for_postgres
from portal.runtime.keys import Keys
from portal.runtime.output import Terminal
from portal.runtime.ports import BindAddress, reserve
from portal.runtime.postgres import PostgresServer
from portal.runtime.setup_mark import SetupMark
from portal.runtime.sockets import socket_directory
from portal.runtime.stopping import SignalWatch, StopRequested
from portal.runtime.supervisor import ProgramFailed, Supervisor
from portal.runtime.valkey import ValkeyServer

# The programs whose lines are shown at the terminal; all lines are in the log files.
SHOWN = ("up", "demo")


@dataclass(frozen=True)
class Options:
    """The options of `manage.py up`."""

    data: Path
    http: str
    sftp: str
    demo: bool
    verbose: bool = False


@dataclass
class Launch:
    """One run of the launcher."""

    options: Options
    data: DataDirectory
    http: BindAddress
    sftp: BindAddress
    supervisor: Supervisor
    sockets: Path | None = None
    began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Start all, serve until a request to stop, then stop all. Raises ProgramFailed."""
        try:
            self.start()
            self.supervisor.serve()
        except StopRequested:
            pass
        finally:
            self.data.announcement.unlink(missing_ok=True)
            self.data.stopping()
            self.supervisor.say("Stopping (press Ctrl-C again to stop immediately)")
            self.supervisor.stop()
            self.remove_sockets()

    def remove_sockets(self) -> None:
        """Leave nothing in the system's temporary directory after an orderly stop."""
        if self.sockets is not None:
            with suppress(OSError):
                self.sockets.rmdir()

    def start(self) -> None:
        """Servers, schema, programs, demo, announcement."""
        embedded = not surroundings.given("DATABASE_URL")
        must_have_vault = embedded and self.data.cluster.exists()
        keys = Keys(self.data.keys)
        keys.ensure(has_data=must_have_vault and not surroundings.given("VAULT_KEYS"))
        environment = surroundings.build(
            self.data, keys, self.http, self.sftp, self.start_servers()
        )
        self.set_up(environment)
        self.start_programs(environment)
        self.welcome(environment)
        self.announce(environment)

    def start_servers(self) -> dict[str, str]:
        """Start the embedded servers that the environment does not replace; return their URLs."""
        servers: dict[str, str] = {}
        missing = [n for n in ("DATABASE_URL", "REDIS_URL") if not surroundings.given(n)]
        if not missing:
            return servers
        identity = for_postgres(self.data.cluster)
        sockets = self.sockets = socket_directory(self.data.path, identity.uid)
        if "DATABASE_URL" in missing:
            postgres = PostgresServer(self.data.cluster, sockets, identity)
            self.supervisor.start(postgres.program())
            servers["DATABASE_URL"] = postgres.url
        if "REDIS_URL" in missing:
            valkey = ValkeyServer(self.data.valkey, sockets)
            self.start_valkey(valkey)
            servers["REDIS_URL"] = valkey.url
        return servers

    def start_valkey(self, valkey: ValkeyServer) -> None:
        """Start the broker, empty if its files are damaged: it holds no fact."""
        try:
            self.supervisor.start(valkey.program())
        except ProgramFailed as error:
            self.supervisor.forget("valkey")
            self.supervisor.say(
                f"{error}\nStarting empty; the old data was kept as {valkey.set_aside()}"
            )
            self.supervisor.start(valkey.program())

    def set_up(self, environment: dict[str, str]) -> None:
        """Schema and static files, unless they are this version's already."""
        mark = SetupMark(self.data.path, environment.get("DATABASE_URL", ""))
        if mark.is_current():
            return
        if self.supervisor.run(processes.setup(environment)) != 0:
            raise ProgramFailed(f"The database cannot be set up. See {self.data.log}/setup.log")
        mark.save()

    def start_programs(self, environment: dict[str, str]) -> None:
        """Start the product's programs together, then wait for each."""
        programs = processes.in_order(environment, self.data, self.http, self.sftp)
        self.supervisor.restarts = False
        for program in programs:
            self.supervisor.add(program)
        for program in programs:
            self.supervisor.wait_ready(program.name)
        self.supervisor.restarts = True

    def welcome(self, environment: dict[str, str]) -> None:
        """Make the demo institution on the first run; the next start retries if it fails."""
        if self.data.welcomed.exists():
            return
        if self.options.demo and self.supervisor.run(processes.demo(environment)) != 0:
            self.supervisor.say(
                "The demo could not be created; the product is running. See "
                f"{self.data.log}/demo.log; the next start retries it."
            )
            return
        self.data.welcomed.touch(mode=0o600)

    def announce(self, environment: dict[str, str]) -> None:
        """Print and write where everything is."""
        content = announce.announcement(
            self.data, environment, self.http, self.sftp, self.supervisor.pids()
        )
        announce.write(self.data, content)
        for line in announce.lines(content, self.data):
            self.supervisor.say(line)
        self.supervisor.say(f"Ready after {time.monotonic() - self.began:.1f} s")


def launch(options: Options) -> None:
    """Run the product until asked to stop.

    Raises AddressRefused, DirectoryRefused, KeyLost, UnsafeSocketDirectory and ProgramFailed, each
    with a message for the user.
    """
    os.umask(0o077)
    data = DataDirectory(options.data.absolute())
    data.claim()
    data.announcement.unlink(missing_ok=True)
    http, sftp = reserve(options.http, "--http"), reserve(options.sftp, "--sftp")
    with SignalWatch() as signals:
        supervisor = Supervisor(
            data.log, Terminal(only=None if options.verbose else SHOWN), signals
        )
        Launch(options, data, http, sftp, supervisor).run()
