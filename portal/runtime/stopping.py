"""Signals to the launcher: a request to stop, and the end of a child process."""

import os
import select
import signal
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(Exception):
    """Somebody asked the launcher to stop."""


class SignalWatch:
    """Counts requests to stop and wakes a waiting launcher at once, for these and for SIGCHLD.

    A context manager; for the main thread only.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.reader, self.writer = -1, -1
        self.previous: dict[signal.Signals, object] = {}
        self.previous_fd = -1

    def __enter__(self) -> "SignalWatch":
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.previous_fd = signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            # A program started by nohup goes on ignoring the signal.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.previous[number] = signal.signal(number, self._stop_requested)
        self.previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._child_ended)
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

    def _stop_requested(self, number: int, frame: FrameType | None) -> None:
        self.requests += 1

    def _child_ended(self, number: int, frame: FrameType | None) -> None:
        """Do nothing: the wake-up descriptor has been written to before this is called."""

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or sooner when a signal has come."""
        readable, _, _ = select.select([self.reader], [], [], max(seconds, 0.0))
        if readable:
            os.read(self.reader, 4096)
