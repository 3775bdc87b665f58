"""Bodies of requests under a deadline: a client that sends slowly must not stop the pages.

A thread that reads a body waits for its client. So a small body must be there within SMALL_SECONDS,
a large one (an upload) must never be silent for SILENT_SECONDS, and of a process's threads only
AT_ONCE may wait for bodies. Outside gunicorn, which offers the socket, nothing is limited.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

AT_ONCE = 4  # of eight threads
SMALL = 64 << 10  # bytes
SMALL_SECONDS = 15.0
SILENT_SECONDS = 30.0
_PATIENCE = 0.25  # seconds for a place among those who read
_BUSY = b"Too many requests are being sent at this moment. Try again in a minute.\n"


_BUSY_HEADERS = [("Content-Type", "text/plain"), ("Retry-After", "60")]


class Deadlines:
    """The application, with bodies that end in time. Reading raises TimeoutError after it."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        sock = environ.get("gunicorn.socket")
        length = _length(environ)
        if sock is None or length == 0:
            return self._application(environ, start)
        if not self._places.acquire(timeout=_PATIENCE):
            _end(sock)
            start("503 Service Unavailable", _BUSY_HEADERS)
            return [_BUSY]
        body = _Body(environ["wsgi.input"], sock, length, self._places.release)
        environ["wsgi.input"] = body
        try:
            return self._application(environ, start)
        finally:
            body.leave()


def _length(environ: WSGIEnvironment) -> int | None:
    """Bytes of the body; None where they are not announced (chunks)."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _end(sock: socket.socket) -> None:
    """End what a client sends: whoever reads gets less than was announced, and gunicorn, which
    reads the rest before the next request, does not wait for it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)


class _Body:
    """A body that is read from a socket with a time limit."""

    def __init__(
        self, file: Any, sock: socket.socket, length: int | None, leave: Callable[[], None]
    ) -> None:
        self._file, self._sock, self._left, self._leave = file, sock, length, leave
        self._is_reading = True
        self._timer: threading.Timer | None = None
        if length is not None and length <= SMALL:
            self._timer = threading.Timer(SMALL_SECONDS, _end, [sock])
            self._timer.daemon = True
            self._timer.start()

    def read(self, size: int = -1) -> bytes:
        return self._timed(lambda: self._file.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._timed(lambda: self._file.readline(size))

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def leave(self) -> None:
        """Give the place back, and read no more. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        if self._is_reading:
            self._is_reading = False
            self._leave()
            if self._left != 0:
                _end(self._sock)

    def _timed(self, read: Callable[[], bytes]) -> bytes:
        if self._left == 0:
            return b""
        self._sock.settimeout(SILENT_SECONDS)
        try:
            data = read()
        finally:
            self._sock.setblocking(True)
        if self._left is not None:
            self._left -= len(data)
            if not data and self._left:
                raise TimeoutError("The body of the request did not arrive in time.")
        if not data or self._left == 0:
            self.leave()
        return data
