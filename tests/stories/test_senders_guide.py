"""docs/senders.md followed literally: its two scripts, from the host key to the corrected rows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.blocks import block
from tests.sshd import make_key
from tests.stories.product import Product

GUIDE = "docs/senders.md"
BASH, PYTHON = "Bash (OpenSSH `sftp`, `md5sum`)", "Python (paramiko)"
HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
GOOD = HEADER + "{0}1,Ada,Lovelace,ada@example.edu\n"
BAD = HEADER + "{0}2,Ben,Okafor,ben@example.edu\n{0}3,Cleo,Díaz,cleo-at-example.edu\n"
USERS = "Action,Username,FirstName,LastName,CampusEmail\n"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "sftp", "ssh-keygen", "ssh-keyscan"))),
    reason="needs bash and OpenSSH's client",
)


@dataclass(frozen=True)
class Desk:
    """A sender's machine: the script, its key, and a folder for files."""

    name: str
    command: tuple[str, ...]
    home: Path

    def send(self, folder: str, files: Mapping[str, str]) -> tuple[int, str]:
        """Write the files and send them; the exit code and what was printed."""
        for name, content in files.items():
            (self.home / name).write_text(content, encoding="utf-8")
        return self.call(folder, *files)

    def call(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self.command, *arguments], cwd=self.home, text=True, timeout=90,
            env={**os.environ, "HOME": str(self.home)}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert "Traceback" not in done.stdout, done.stdout
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def home(product: Product, oak: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sender's home with the key of the account `guide`, and the portal's host key."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir(mode=0o700)
    make_key(home / ".ssh" / "portal_ed25519")
    key = home / ".ssh" / "portal_ed25519.pub"
    product.run(f".venv/bin/python manage.py create_account oak guide --key {key}")
    commands = entered(product, block(GUIDE, BASH).text).replace("~", str(home))
    shown = product.run(commands)
    assert product.sftp["fingerprint"] in shown, "the sender compares it before the first upload"
    return home


def entered(product: Product, text: str) -> str:
    """The guide's text with the values that the portal shows; looked at more often."""
    sftp = product.sftp
    for placeholder, value in (
        ("portal.example.org", sftp["host"]),
        ("SHA256:FINGERPRINT-FROM-THE-PORTAL", sftp["fingerprint"]),
        ("2222", str(sftp["port"])),
        ("your-account", "guide"),
        ("LOOK_EVERY=10", "LOOK_EVERY=1"),
        ("LOOK_EVERY = 3600, 10", "LOOK_EVERY = 60, 1"),
        ("WAIT_SECONDS=3600", "WAIT_SECONDS=60"),
    ):
        text = text.replace(placeholder, value)
    assert "3600" not in text
    return text


@pytest.fixture(scope="module")
def desks(product: Product, home: Path) -> list[Desk]:
    """One for each script."""
    (home / "send.sh").write_text(entered(product, block(GUIDE, BASH, 2).text))
    (home / "send.py").write_text(entered(product, block(GUIDE, PYTHON).text))
    return [
        Desk("sh", ("bash", str(home / "send.sh")), home),
        Desk("py", (sys.executable, str(home / "send.py")), home),
    ]


def both(desks: list[Desk], story: object) -> None:
    """Both senders at once: they mostly wait."""
    assert callable(story)
    with ThreadPoolExecutor(len(desks)) as pool:
        for done in [pool.submit(story, desk) for desk in desks]:
            done.result()


def corrected(desk: Desk) -> None:
    good, bad = f'{desk.name} it\'s "one" & <é>.csv', f"{desk.name}-bad.csv"
    files = {good: GOOD.format(desk.name), bad: BAD.format(desk.name)}
    status, output = desk.send("/Accounts/AccountImports", files)
    assert status == 1, output
    assert f"complete: {good}" in output
    assert f"incomplete: {bad}" in output
    attachment = desk.home / f"{bad}.errors.csv"
    rows = attachment.read_text("utf-8-sig")
    assert "cleo-at-example.edu" in rows
    mended = {attachment.name: rows.replace("cleo-at-", "cleo@")}
    status, output = desk.send("/Accounts/AccountImports/", mended)
    assert (status, output.splitlines()[0]) == (0, f"complete: {attachment.name}")


def test_rejected_rows_are_corrected_and_sent_under_their_own_name(desks: list[Desk]) -> None:
    both(desks, corrected)


def held(desk: Desk) -> None:
    rows = [f"{desk.name}{n},Ada,Lovelace,{n}@{desk.name}.example\n" for n in range(40)]
    add, delete = (USERS + "".join(f"{do},{row}" for row in rows) for do in ("Add", "Delete"))
    status, output = desk.send("CollegiateLink/Users", {f"{desk.name}-add.csv": add})
    assert status == 0, output
    status, output = desk.send("CollegiateLink/Users", {f"{desk.name}-delete.csv": delete})
    assert status == 4, output
    assert output.startswith(f"held: {desk.name}-delete.csv")
    assert "Do not send it again" in output


def test_a_held_file_ends_the_script_and_is_not_waited_for(desks: list[Desk]) -> None:
    both(desks, held)


def misplaced(desk: Desk) -> None:
    status, output = desk.send("/Courses", {f"{desk.name}-course.csv": "CourseIdentifier\n"})
    assert status == 1, output
    assert "misplaced: " in output
    assert "the folder" in output


def test_a_parent_folder_is_named_and_not_waited_for(desks: list[Desk]) -> None:
    both(desks, misplaced)


def refused(desk: Desk) -> None:
    """What was wrong before anything could be imported."""
    status, output = desk.call("/Accounts/AccountImports", "nowhere.csv")
    assert (status, output) == (2, "There is no file nowhere.csv. Nothing was sent.\n")
    status, output = desk.call("/Accounts")
    assert status == 2
    assert re.match(r"usage: send\.(sh|py) FOLDER FILE\.\.\.", output)
    status, output = desk.send("/Accounts/AccountImport", {f"{desk.name}.csv": "x\n"})
    assert status == 2, output
    assert "The upload into /Accounts/AccountImport failed" in output


def test_a_missing_file_or_folder_is_named(desks: list[Desk]) -> None:
    both(desks, refused)


def test_nothing_is_sent_to_a_server_with_another_key(desks: list[Desk]) -> None:
    script = desks[1].home / "send.py"
    other = re.sub(r"SHA256:[^\"]+", "SHA256:another", script.read_text())
    (desks[1].home / "other.py").write_text(other)
    wrong = Desk("other", (sys.executable, str(desks[1].home / "other.py")), desks[1].home)
    status, output = wrong.send("/Accounts/AccountImports", {"other.csv": "x\n"})
    assert status == 2
    assert "Nothing was sent." in output
