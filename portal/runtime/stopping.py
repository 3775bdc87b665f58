"""Signals to the launcher: a request to stop, and the news that a child has died."""

import os
import select
import signal
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(Exception):
    """Somebody asked the launcher to stop."""


class Doorbell:
    """Counts requests to stop and wakes a waiting launcher at once, for these and for SIGCHLD.

    A context manager; for the main thread only.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.reader, self.writer = -1, -1
        self.previous: dict[signal.Signals, object] = {}
        self.previous_fd = -1

    def __enter__(self) -> "Doorbell":
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.previous_fd = signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            # A program started by nohup keeps its deaf ear.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.previous[number] = signal.signal(number, self._asked)
        self.previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._rung)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self.previous_fd)
        os.close(self.reader)
        os.close(self.writer)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.requests += 1

    def _rung(self, number: int, frame: FrameType | None) -> None:
        """Being called is enough: the wake-up descriptor has been written to."""

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or sooner when a signal has come."""
        readable, _, _ = select.select([self.reader], [], [], max(seconds, 0.0))
        if readable:
            os.read(self.reader, 4096)
