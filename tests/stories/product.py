"""The whole product, running, and the people who use it."""

from __future__ import annotations

import csv
import http.cookiejar
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300
UNWANTED = (
    *("DATABASE", "REDIS", "DATA_DIR", "SECRET", "VAULT"),
    *("SFTP_", "CAUSEWAY", "PYTEST", "LOG_", "ALLOWED_HOSTS"),
)


def environment() -> dict[str, str]:
    """The variables of somebody who has never heard of the tests."""
    return {k: v for k, v in os.environ.items() if not k.startswith(UNWANTED) and k != "PYTHON"}


def checkout(folder: Path) -> Path:
    """The project's files in a folder, as after `git clone`, where the environment is made already.

    Its Python is that of the tests, for a real one would have to be downloaded.
    """
    folder.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith((".venv", ".git", "var")):
            (folder / path.name).symlink_to(path)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    stamp = subprocess.run(
        ["sh", "-c", 'echo "$(cksum <requirements.txt) $(pwd)"'],
        cwd=folder, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    (folder / ".venv" / "requirements.stamp").write_bytes(stamp)
    return folder


def wait(condition: Callable[[], object], seconds: float) -> None:
    """Until the condition holds. Fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come to pass in time."
        time.sleep(0.1)


@dataclass(frozen=True)
class Product:
    """What `bin/up` has announced. output: what it has printed."""

    project: Path
    data: Path
    announcement: dict[str, Any]
    output: str

    @property
    def web(self) -> str:
        return str(self.announcement["web"])

    @property
    def sftp(self) -> dict[str, Any]:
        sftp: dict[str, Any] = self.announcement["sftp"]
        return sftp

    def account(self, role: str) -> dict[str, str]:
        accounts: list[dict[str, str]] = self.announcement["accounts"]
        return next(account for account in accounts if account["role"] == role)

    def person(self, role: str) -> Person:
        """Somebody of the demo, logged in."""
        who = self.account(role)
        return Person(self.web, who["login"], who["password"])

    def folder(self, path: str) -> Path:
        """A folder of the demo's institution, on the disk."""
        (forgotten,) = self.data.glob("drops/*/enrollments_forgotten.csv")
        return forgotten.parent / path

    def run(self, script: str) -> str:
        """A shell's commands as the documents have them; what they print."""
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.project,
            env={**environment(), "DATA_DIR": str(self.data)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running(command: str, folder: Path) -> Iterator[Product]:
    """The product with its demo, on free ports; stopped in the end."""
    project, data = checkout(folder / "causeway"), folder / "var"
    options = ("--data", str(data), "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0")
    with (folder / "up.log").open("w+") as log:
        up = subprocess.Popen(
            [command, *options], cwd=project, env=environment(), stdout=log, stderr=log
        )
        try:
            wait(lambda: (data / "up.json").exists() or up.poll() is not None, START_SECONDS)
            output = Path(log.name).read_text()
            assert up.poll() is None, output
            yield Product(project, data, json.loads((data / "up.json").read_text()), output)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(90)


class Person:
    """Somebody with a browser, without its scripts."""

    def __init__(self, web: str, login: str, password: str) -> None:
        self._base = web.rstrip("/")
        jar = http.cookiejar.CookieJar()
        self._web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.send("/login/", username=login, password=password)

    def read(self, path: str) -> str:
        with self._web.open(self._base + path) as answer:
            text: str = answer.read().decode("utf-8-sig")
            return text

    def send(self, path: str, page: str = "", **form: str | list[str]) -> str:
        """Fill in the form of a page and send it; the page that is shown then."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read(page or path))
        assert token
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **form}, doseq=True)
        with self._web.open(self._base + path, data.encode()) as answer:
            text: str = answer.read().decode("utf-8-sig")
            return text

    def job(self, file_name: str) -> str:
        """The address of a file's job."""
        page = self.read(f"/jobs/?name={file_name}")
        links = re.findall(r'href="(/jobs/[0-9a-f-]{36}/)"', page)
        assert len(set(links)) == 1, f"{len(links)} jobs of {file_name}"
        return str(links[0])

    def jobs(self) -> list[dict[str, str]]:
        """The downloaded list of jobs."""
        return list(csv.DictReader(io.StringIO(self.read("/jobs.csv"))))
