"""Programs kept running: started in order, restarted when they die, stopped in reverse order."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portal.runtime.leftovers import StillInUse
from portal.runtime.output import Output, Terminal
from portal.runtime.program import Life, Program, Stop, how_it_ended
from portal.runtime.stopping import SignalWatch, StopRequested

RESTART_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each restart of a program that keeps dying; one death more ends the launcher."""
STEADY_SECONDS = 60.0
"""A life this long clears the count of deaths."""
POLL_SECONDS = 0.02


class ProgramFailed(Exception):
    """A program does not start, does not answer or keeps dying. The message says what to do."""


@dataclass
class Child:
    """A program under supervision."""

    program: Program
    output: Output
    life: Life | None = None
    deaths: int = 0
    restart_at: float = 0.0
    was_ready: bool = False


class Supervisor:
    """Runs programs; all its methods are for the main thread, inside its signal watch."""

    def __init__(self, log_dir: Path, terminal: Terminal, signals: SignalWatch) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir, self.terminal, self.signals = log_dir, terminal, signals
        self.children: list[Child] = []
        self.own = Output("up", log_dir, terminal)
        # Off during the first start: a program that dies then would only die again.
        self.restarts = True

    def say(self, line: str) -> None:
        """Write a line of the launcher's own."""
        self.own.write(line)

    def pids(self) -> dict[str, int]:
        """The main process id of each running program by name, and the launcher's as "up"."""
        running = {c.program.name: c.life.pid for c in self.children if c.life is not None}
        return {"up": os.getpid(), **running}

    def add(self, program: Program) -> None:
        """Start a program and keep it running, without waiting until it is ready."""
        child = Child(program, self._output(program.name))
        self.children.append(child)
        self._start(child)

    def start(self, program: Program) -> None:
        """Start a program and wait until it is ready. Raises ProgramFailed, StopRequested."""
        self.add(program)
        self.wait_ready(program.name)

    def forget(self, name: str) -> None:
        """Kill a program that failed, if it still runs, and do not restart it."""
        for child in [c for c in self.children if c.program.name == name]:
            if child.life is not None:
                child.life.kill()
            child.output.close()
            self.children.remove(child)

    def wait_ready(self, name: str) -> None:
        """Wait until a started program answers. Raises ProgramFailed, StopRequested."""
        child = next(c for c in self.children if c.program.name == name)
        limit = child.program.ready_within
        if not self.wait_until(lambda: self._is_ready(child), limit, child.program.poll_seconds):
            raise ProgramFailed(self._failure(child, f"did not answer within {limit:.0f} s"))

    def wait_until(
        self, condition: Callable[[], bool], seconds: float, poll_seconds: float = POLL_SECONDS
    ) -> bool:
        """Tend the children until the condition holds (True) or time is up (False)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.tend()
            self.signals.wait(poll_seconds)
        return True

    def run(self, program: Program) -> int:
        """Run a program to its end and return its exit status. Raises StopRequested."""
        child = Child(program, self._output(program.name))
        life = child.life = self._begin(child)
        try:
            self.wait_until(lambda: life.exit_status() is not None, float("inf"))
        finally:
            life.kill()
            child.output.close()
        return life.process.returncode

    def serve(self) -> None:
        """Tend the children until asked to stop. Raises ProgramFailed."""
        try:
            while True:
                self.tend()
                self.signals.wait(1.0)
        except StopRequested:
            return

    def tend(self) -> None:
        """Look after every child once. Raises ProgramFailed, StopRequested."""
        if self.signals.requests:
            raise StopRequested
        for child in self.children:
            if child.life is None:
                if time.monotonic() >= child.restart_at:
                    self._start(child)
            elif child.life.exit_status() is not None:
                self._handle_death(child, child.life)

    def stop(self) -> None:
        """Stop all in reverse order. Another request to stop shortens the waiting."""
        asked = self.signals.requests
        for child in reversed(self.children):
            if child.life is not None:
                began = time.monotonic()
                ended = self._stop(child.life, asked)
                self.say(
                    f"{child.program.name} stopped ({ended}, {time.monotonic() - began:.1f} s)"
                )
                child.life = None
            child.output.close()
        self.children.clear()
        self.own.close()

    def _output(self, name: str) -> Output:
        return Output(name, self.log_dir, self.terminal)

    def _begin(self, child: Child) -> Life:
        if child.program.prepare is not None:
            child.program.prepare()
        life = Life(child.program)
        assert life.process.stdout is not None  # noqa: S101 - asked for as a pipe
        child.output.follow(life.process.stdout)
        return life

    def _start(self, child: Child) -> None:
        try:
            child.life = self._begin(child)
        except (OSError, StillInUse) as error:
            raise ProgramFailed(f"{child.program.name} cannot be started: {error}") from error

    def _is_ready(self, child: Child) -> bool:
        ready = child.program.is_ready
        if child.life is None:
            return False
        child.was_ready = ready is None or ready()
        return child.was_ready

    def _handle_death(self, child: Child, life: Life) -> None:
        status = how_it_ended(life.exit_status())
        life.kill()
        child.life = None
        child.deaths = 1 if life.age >= STEADY_SECONDS else child.deaths + 1
        never_ready = child.program.is_ready is not None and not child.was_ready
        if never_ready or not self.restarts:
            raise ProgramFailed(self._failure(child, f"ended while starting ({status})"))
        if child.deaths > len(RESTART_DELAYS):
            raise ProgramFailed(
                self._failure(child, f"died {child.deaths} times in a row (last: {status})")
            )
        delay = RESTART_DELAYS[child.deaths - 1]
        child.restart_at = time.monotonic() + delay
        self.say(f"{child.program.name} died ({status}); starting it again in {delay:g} s")

    def _failure(self, child: Child, what: str) -> str:
        child.output.settle()
        lines = "\n".join(f"    {line}" for line in child.output.last)
        return (
            f"{child.program.name} {what}. Its log is {child.output.path}; its last lines:\n{lines}"
        )

    def _stop(self, life: Life, asked: int) -> str:
        for step in life.program.stops:
            if life.exit_status() is None:
                life.send(step.signal)
                self._wait_for_end(life, step, asked)
        ended = how_it_ended(life.exit_status())
        life.kill()
        return "did not stop in time: killed" if ended == how_it_ended(None) else ended

    def _wait_for_end(self, life: Life, step: Stop, asked: int) -> None:
        began = time.monotonic()
        deadline = began + step.seconds
        while life.exit_status() is None and time.monotonic() < deadline:
            if self.signals.requests > asked:
                deadline = min(deadline, began + life.program.least_seconds)
            self.signals.wait(min(0.5, deadline - time.monotonic()))
