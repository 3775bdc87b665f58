"""A proxy between the portal and a real server, which cuts, freezes or drips at a given byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

from portal.transports.ssh import ServerLogin

CUT, FREEZE, SWALLOW, DRIP = "cut", "freeze", "swallow", "drip"
_DRIP_SECONDS = 1.0


class Proxy:
    """Passes everything on until `after` bytes have come from the client; then the fault begins.

    cut: both sides are closed. freeze: nothing is read any more. swallow: everything is read,
    nothing passed on, as by a server whose machine has died behind a firewall. drip: one byte a
    second.
    """

    def __init__(self, port: int, fault: str, after: int) -> None:
        self._target, self._fault, self._after = port, fault, after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self.connections = 0
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._run(self._accept)

    def _run(self, call, *given) -> None:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=call, args=given, daemon=True, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                self._run(self._upstream, client, server)
                self._run(self._downstream, server, client)

    def _upstream(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := client.recv(min(65536, max(1, self._after - passed))):
                if passed >= self._after and not self._disturb(client, server):
                    return
                if passed < self._after or self._fault == DRIP:
                    server.sendall(data)
                    passed += len(data)
                    self.passed += len(data)
        self._end(client, server)

    def _disturb(self, client: socket.socket, server: socket.socket) -> bool:
        """Returns whether to read on."""
        if self._fault == CUT:
            self._end(client, server)
            return False
        if self._fault == FREEZE:
            self._over.wait()
            return False
        if self._fault == DRIP:
            self._over.wait(_DRIP_SECONDS)
        return True

    def _downstream(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        if self._fault == CUT:
            self._end(client, server)

    @staticmethod
    def _end(*sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._over.set()
        self._end(*self._sockets)
        for thread in list(self._threads):
            thread.join(10)
        for each in self._sockets:
            each.close()


@contextlib.contextmanager
def between(place: ServerLogin, fault: str, after: int) -> Iterator[tuple[ServerLogin, Proxy]]:
    """The place as it is reached through a proxy with a fault."""
    proxy = Proxy(place.port, fault, after)
    try:
        yield replace(place, port=proxy.port), proxy
    finally:
        proxy.close()


@contextlib.contextmanager
def answering(says: bytes, *, again: float = 0.0, close: bool = False) -> Iterator[ServerLogin]:
    """A socket that says something, once or every `again` seconds, and is silent or closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    over, sockets, threads = threading.Event(), [listener], []

    def speak(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.sendall(says)
            while again and not over.wait(again):
                client.sendall(says)
        if close:
            Proxy._end(client)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                sockets.append(client)
                threads.append(threading.Thread(target=speak, args=[client], daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield ServerLogin(
            "127.0.0.1", listener.getsockname()[1], "ada", "secret", "", "SHA256:" + "A" * 43
        )
    finally:
        over.set()
        Proxy._end(*sockets)
        for thread in list(threads):
            thread.join(10)
        for each in sockets:
            each.close()
