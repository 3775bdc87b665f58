"""Bodies that come slowly, against a real gunicorn with as few threads as the product has."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start gunicorn with one process of eight threads; return its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(small: float = 60, silent: float = 60) -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "gunicorn", "--threads", "8", "--log-level"),
                        *("error", "--bind", f"fd://{listener.fileno()}"),
                        "tests.portal.web.slow_application:application",
                    ],
                    cwd=ROOT,
                    env={**os.environ, "SMALL_SECONDS": str(small), "SILENT_SECONDS": str(silent)},
                    pass_fds=[listener.fileno()],
                )
            )
            return int(listener.getsockname()[1])

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def get(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    return answer.status, answer.read()


def begin(port: int, length: int, data: bytes = b"abc") -> socket.socket:
    """Announce a body, send the beginning, and say no more."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + data
    )
    return client


def answer(client: socket.socket) -> bytes:
    """What the server says until a body of one to six bytes is there."""
    data = b""
    while not re.search(rb"\r\n\r\n[0-9]+$", data) and (part := client.recv(4_000)):
        data += part
    return data


def test_forty_bodies_that_never_end_do_not_stop_the_pages(serve: Serve) -> None:
    port = serve()
    assert get(port) == (200, b"0")
    silent = [begin(port, 1_000) for _ in range(40)]
    for _ in range(5):
        assert get(port) == (200, b"0")
    answers = [client.recv(4_000) for client in silent[8:]]
    assert all(b"503 Service Unavailable" in answer for answer in answers)
    for client in silent:
        client.close()


def test_a_small_body_must_come_in_time_even_if_it_comes_byte_by_byte(serve: Serve) -> None:
    port = serve(small=1)
    with begin(port, 1_000) as client:
        ends = time.monotonic() + 20
        client.settimeout(0.2)
        answer = b""
        while not answer and time.monotonic() < ends:
            client.sendall(b"a")
            try:
                answer = client.recv(4_000)
            except TimeoutError:
                continue
        assert b"408" in answer


def test_a_large_body_may_take_long_as_long_as_it_is_not_silent(serve: Serve) -> None:
    port = serve(small=0.1, silent=2)
    block, blocks = b"x" * 50_000, 4
    with begin(port, len(block) * blocks, b"") as client:
        for _ in range(blocks):
            time.sleep(0.3)  # the client's own slowness: nothing else can be waited for
            client.sendall(block)
        assert answer(client).endswith(b"200000")
    with begin(port, len(block) * blocks, block) as client:
        assert b"408" in client.recv(4_000)


def test_places_come_back(serve: Serve) -> None:
    port = serve(small=0.5)
    for _ in range(3):
        silent = [begin(port, 1_000) for _ in range(4)]
        assert all(b"408" in client.recv(4_000) for client in silent)
    with begin(port, 3) as client:
        assert answer(client).endswith(b"3")
