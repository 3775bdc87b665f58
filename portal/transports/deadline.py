"""A watchdog that closes the connection when its time is up, whatever it is waiting for.

Paramiko's own timeouts do not cover a peer that freezes in the middle of a transfer, nor one that
drips a byte now and then (reliability.md 3.2, rule 20): only closing the socket ends every wait.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType

from portal.transports.faults import Unreachable


class Deadline:
    """The time that one attempt has: first to be logged in, then in all. Seconds.

    Used as a context manager around everything that may wait; `guard(sock)` says what to close.
    """

    def __init__(self, connect_seconds: float, transfer_seconds: float) -> None:
        self.connect_seconds, self.transfer_seconds = connect_seconds, transfer_seconds
        began = time.monotonic()
        self._ends = began + min(connect_seconds, transfer_seconds)
        self._last = began + transfer_seconds
        self._sock: socket.socket | None = None
        self._connecting = True
        self._expired = False
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    @property
    def left(self) -> float:
        """Seconds left of the present part, never below 0."""
        return max(0.0, self._ends - time.monotonic())

    def guard(self, sock: socket.socket) -> None:
        """The socket to close when time is up; at once where it already is."""
        with self._changed:
            self._sock = sock
            if self._expired:
                _cut(sock)

    def logged_in(self) -> None:
        """The first part is over; what is left of the whole begins."""
        with self._changed:
            self._connecting = False
            self._ends = self._last
            self._changed.notify()

    def check(self) -> None:
        """Raise Unreachable where the time is up, be it that nobody has noticed yet."""
        if self._expired or not self.left:
            raise Unreachable(self.words)

    @property
    def expired(self) -> bool:
        """Whether the connection was closed for it."""
        return self._expired

    @property
    def words(self) -> str:
        """What is said when the time is up."""
        if self._connecting:
            return (
                f"The connection and login did not succeed within {_shown(self.connect_seconds)}."
            )
        return f"The transfer did not finish within {_shown(self.transfer_seconds)}."

    def _watch(self) -> None:
        with self._changed:
            while not self._over and self.left > 0:
                self._changed.wait(self.left)
            if self._over:
                return
            self._expired = True
            if self._sock is not None:
                _cut(self._sock)


def _shown(seconds: float) -> str:
    whole = seconds >= 120 and seconds % 60 == 0
    return f"{seconds / 60:.0f} minutes" if whole else f"{seconds:g} s"


def _cut(sock: socket.socket) -> None:
    """End both directions: whoever waits on it wakes. Its owner closes it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
