"""Ten thousand events over a real connection, as a program sends them."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connections
from django.test.testcases import LiveServerThread

from tests.portal.api.callers import ADDRESS, Callers, event

MOST_SECONDS = 30


@pytest.fixture
def server(callers: Callers) -> Iterator[str]:
    """A server on a free port; pytest-django's would empty every table afterwards."""
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    assert thread.error is None
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()
    thread.join()
    connections["default"].close()


def post(server: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
    place = urlsplit(server)
    link = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    link.request("POST", ADDRESS, body, headers)
    answer = link.getresponse()
    read = json.loads(answer.read())
    link.close()
    return answer.status, read


def test_ten_thousand_events_are_stored_once(server: str, callers: Callers) -> None:
    detail = {name: f"{name} of a learner" for name in ("firstName", "lastName", "ref1", "ref2")}
    payload = {"title": "Laboratory safety", "notifiableId": "n" * 36, "userDetail": detail}
    body = json.dumps([event(f"e-{n:05}", payload=payload) for n in range(10_000)]).encode()
    began = time.monotonic()
    first = post(server, callers.home.token, body)
    seconds = time.monotonic() - began
    assert first == (200, {"accepted": 10_000, "duplicates": 0, "conflicts": 0})
    again = post(server, callers.home.token, body)
    assert again == (200, {"accepted": 0, "duplicates": 10_000, "conflicts": 0})
    print(f"10,000 events, {len(body):,} bytes: {seconds:.2f} s")  # noqa: T201
    assert seconds < MOST_SECONDS


def test_a_body_that_is_too_large_is_told_so_over_the_wire(server: str, callers: Callers) -> None:
    status, body = post(server, callers.home.token, b"[" + b" " * (17 << 20) + b"]")
    assert (status, body["title"]) == (413, "Too large")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_documented_command_works(server: str, callers: Callers, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    command = text.partition("```sh\n")[2].partition("```")[0]
    assert "curl" in command
    done = subprocess.run(
        ["sh", "-euc", command.replace("https://portal.example.org", server)],
        env={"TOKEN": callers.home.token, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        cwd=tmp_path,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {"accepted": 1, "duplicates": 0, "conflicts": 0}
