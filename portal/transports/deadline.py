"""A watchdog that closes the connection when its time is up, whatever the client waits for.

Paramiko's own timeouts cover neither a peer that freezes in the middle of a transfer nor a peer
that sends a byte now and then: only closing the socket ends each wait (reliability.md 3.2, rule
20).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from portal.transports.faults import Unreachable


class Deadline:
    """The seconds that one attempt has, first until the login and then in all.

    A context manager around everything that may wait; `guard(sock)` names the socket to close.
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

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    @property
    def left(self) -> float:
        """Seconds left of the current phase, never below 0."""
        return max(0.0, self._ends - time.monotonic())

    def guard(self, sock: socket.socket) -> None:
        """Close this socket when the time is up, or at once if it is up already."""
        with self._changed:
            self._sock = sock
            if self._expired:
                _cut(sock)

    def logged_in(self) -> None:
        """End the first phase: from now on the whole time counts."""
        with self._changed:
            self._connecting = False
            self._ends = self._last
            self._changed.notify()

    def check(self) -> None:
        """Raise Unreachable if the time is up, even if the watchdog has not yet acted."""
        if self._expired or not self.left:
            raise Unreachable(self.words)

    @property
    def expired(self) -> bool:
        """Whether the connection was closed because the time was up."""
        return self._expired

    @property
    def words(self) -> str:
        """The sentence for a time that is up."""
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
    """Shut down both directions, which ends every wait on the socket. Its owner closes it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
