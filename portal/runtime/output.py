"""Children's output: each line to the terminal with the program's name, and to a log file."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Collection
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, TextIO

LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 4
LINE_BYTES = 64 * 1024
LAST_LINES = 15


class LineLog(RotatingFileHandler):
    """A log file of plain lines, rotated by size. A full disk costs lines, never the program."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line."""


class Terminal:
    """The terminal that shows lines. It shows nothing more once writing fails.

    only: names of the programs that are shown; None for all. The log files have all of them.
    """

    def __init__(
        self, stream: TextIO | None = None, *, only: Collection[str] | None = None
    ) -> None:
        self.stream: TextIO | None = stream or sys.stdout
        self.only = only
        self.lock = threading.Lock()

    def show(self, name: str, line: str) -> None:
        """Print a line under a program's name."""
        if self.only is not None and name not in self.only:
            return
        with self.lock:
            if self.stream is None:
                return
            try:
                self.stream.write(f"{name:>8} | {line}\n")
                self.stream.flush()
            except (OSError, ValueError):
                self.stream = None


class Silence(Terminal):
    """A terminal that shows nothing; the log files still have all lines."""

    def show(self, name: str, line: str) -> None:
        """Drop the line."""


class Output:
    """The output of a program over all its restarts."""

    def __init__(self, name: str, log_dir: Path, terminal: Terminal) -> None:
        self.name = name
        self.path = log_dir / f"{name}.log"
        self.terminal = terminal
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self.log = LineLog(
            self.path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
        self.threads: list[threading.Thread] = []

    def follow(self, stream: IO[bytes]) -> None:
        """Read a process's output on a thread until it ends."""
        thread = threading.Thread(target=self._pump, args=(stream,), daemon=True)
        thread.start()
        self.threads = [*(t for t in self.threads if t.is_alive()), thread]

    def _pump(self, stream: IO[bytes]) -> None:
        with stream:
            while raw := stream.readline(LINE_BYTES):
                self.write(raw.decode(errors="replace").rstrip("\r\n"))

    def write(self, line: str) -> None:
        """Keep, log and show one line."""
        self.last.append(line)
        self.log.handle(logging.makeLogRecord({"msg": line}))
        self.terminal.show(self.name, line)

    def settle(self) -> None:
        """Wait shortly for the last lines of a process that has ended."""
        for thread in self.threads:
            thread.join(timeout=1.0)

    def close(self) -> None:
        """Read the last lines and close the file."""
        self.settle()
        self.log.close()
