"""The README as a person follows it: start, look, send the sample file, read the result, stop."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300
UNWANTED = (
    *("DATABASE", "REDIS", "DATA_DIR", "SECRET", "VAULT"),
    *("SFTP_", "CAUSEWAY", "PYTEST", "LOG_", "ALLOWED_HOSTS"),
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`manage.py up` with its demo, in a folder with a space, on free ports."""
    data = tmp_path_factory.mktemp("a folder") / "var"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(UNWANTED)}
    command = [
        *(sys.executable, "manage.py", "up", "--data", str(data)),
        *("--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"),
    ]
    log = (data.parent / "up.log").open("w+")
    up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait(lambda: (data / "up.json").exists() or up.poll() is not None, START_SECONDS)
        assert up.poll() is None, Path(log.name).read_text()
        product = json.loads((data / "up.json").read_text())
        yield {**product, "output": Path(log.name).read_text(), "data": data, "process": up}
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(90)
        log.close()


def wait(condition: Callable[[], object], seconds: float) -> None:
    """Until the condition holds. Fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come to pass in time."
        time.sleep(0.2)


def account(product: dict[str, Any], role: str) -> dict[str, str]:
    return next(account for account in product["accounts"] if account["role"] == role)


class Person:
    """Somebody with a browser, without its scripts."""

    def __init__(self, product: dict[str, Any], role: str) -> None:
        self._base = product["web"].rstrip("/")
        jar = http.cookiejar.CookieJar()
        self._web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read("/login/"))
        assert token
        who = account(product, role)
        form = {"username": who["login"], "password": who["password"]}
        form["csrfmiddlewaretoken"] = token[1]
        self._web.open(f"{self._base}/login/", urllib.parse.urlencode(form).encode())

    def read(self, path: str) -> str:
        with self._web.open(self._base + path) as answer:
            text: str = answer.read().decode("utf-8-sig")
            return text

    def job(self, file_name: str) -> str:
        """The address of a file's job."""
        page = self.read(f"/jobs/?name={file_name}")
        links = re.findall(r'href="(/jobs/[0-9a-f-]{36}/)"', page)
        assert len(set(links)) == 1, f"{len(links)} jobs of {file_name}"
        return str(links[0])

    def jobs(self) -> Counter[str]:
        """How many jobs the downloaded list has of each status."""
        lines = self.read("/jobs.csv").splitlines()
        return Counter(line.split(",")[0] for line in lines[1:])


def test_the_demo_ends_as_the_readme_says(product: dict[str, Any]) -> None:
    manager = Person(product, "Data manager")
    assert manager.jobs() == {"Complete": 8, "Incomplete": 1, "Failed": 1}
    assert "completions.csv" in manager.read("/jobs/")
    assert "courseCompletion" in manager.read("/events/")
    assert "Course completions" in manager.read("/exports/")
    folders = manager.read("/arrivals/folders/")
    assert "enrollments_forgotten.csv" in folders
    assert "courses_by_hand.done.INVALIDSCHEMA" in folders
    assert "instructors_fall.done.CONTAINSINVALIDFILES" in folders


def test_the_failed_and_the_incomplete_file_say_what_to_do(product: dict[str, Any]) -> None:
    manager = Person(product, "Data manager")
    failed = manager.read(manager.job("sections_export.csv"))
    assert "SectionIdentifier" in failed
    assert "Section Identifer" in failed
    incomplete = manager.read(manager.job("late_accounts.csv"))
    assert "omar-at-riverbend.example" in incomplete


@pytest.mark.skipif(not shutil.which("sshpass"), reason="needs sshpass to type the password")
def test_the_printed_command_sends_another_file(product: dict[str, Any]) -> None:
    printed = re.search(r"Send +(.+)", product["output"])
    assert printed
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    command = printed[1].replace("| sftp ", f"| sshpass -e sftp {options} ")
    password = account(product, "SFTP")["password"]
    subprocess.run(
        ["bash", "-c", command], env={**os.environ, "SSHPASS": password}, check=True, timeout=60
    )
    (folder,) = (product["data"] / "drops").glob("*/Accounts/AccountImports")
    result = folder / "more_accounts.csv.result.txt"
    wait(lambda: result.exists(), 60)
    assert result.read_text().startswith("complete: more_accounts.csv")
    wait(lambda: not (folder / "more_accounts.csv").exists(), 60)
    page = Person(product, "Data manager").read("/records/accounts/?q=00300001")
    assert "mira@riverbend.example" in page


def test_commands_join_the_running_product(product: dict[str, Any]) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(UNWANTED)}
    done = subprocess.run(
        [sys.executable, "manage.py", "create_tenant", "Oak College", "--slug", "oak"],
        cwd=ROOT,
        env={**environment, "DATA_DIR": str(product["data"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "oak" in done.stdout
    assert "Oak College" in Person(product, "Operator").read("/system/")
