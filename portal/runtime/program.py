"""What the supervisor runs: the description of a program, and a process of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stop:
    """A step of stopping a program: send the signal, then wait at most so many seconds."""

    signal: signal.Signals
    seconds: float


@dataclass(frozen=True)
class Program:
    """A program to keep running.

    name: for its log file and the prefix of its lines; command: program and arguments, the first
    an absolute path; identity: a command prefix that changes the user; prepare: runs before every
    start; is_ready: whether it answers (None: alive is enough); ready_within, poll_seconds: how
    long and how often to ask; stops: steps before SIGKILL; least_seconds: the time to stop that it
    has even after a second request; death_signal: the signal that it gets when the launcher dies.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    is_ready: Callable[[], bool] | None = None
    ready_within: float = 180.0
    poll_seconds: float = 0.02
    stops: tuple[Stop, ...] = (Stop(signal.SIGTERM, 20.0),)
    least_seconds: float = 0.0
    death_signal: signal.Signals = signal.SIGKILL
    directory: Path = ROOT


class Life:
    """A process of a program, in its own session, with its output on a pipe."""

    def __init__(self, program: Program) -> None:
        """Start it. Raises OSError when the program cannot be executed."""
        self.program = program
        self.started = time.monotonic()
        leash = (sys.executable, "-P", str(LEASH), str(os.getpid()), str(int(program.death_signal)))
        self.process = subprocess.Popen(
            [*program.identity, *leash, *program.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=program.directory,
            env=dict(program.environment),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id of the program's main process."""
        return self.process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def exit_status(self) -> int | None:
        """None while it runs; otherwise the status, negative for a signal."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process only; it stops its own children."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the process and the rest of its process group, and reap it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing was left
        self.process.wait()


def how_it_ended(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "still running"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
