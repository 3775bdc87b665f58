"""The README's sections in their order, each command as it is written, on a new data directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imports.manifest import parse
from tests.docs.blocks import block
from tests.stories.product import Product, wait

TERMINAL = pytest.mark.skipif(
    not (shutil.which("sshpass") and shutil.which("sftp")), reason="needs sftp, and sshpass to type"
)
ACCOUNTS = "Accounts/AccountImports"


def test_the_command_prints_addresses_logins_and_a_command_to_send_a_file(
    product: Product,
) -> None:
    printed = product.output
    for account in product.announcement["accounts"]:
        assert account["login"] in printed
        assert account["password"] in printed
    assert f"Web      {product.web}" in printed
    assert "| sftp -P" in printed
    assert "Installing" not in printed


def typed(product: Product, script: str, folder: Path) -> None:
    """A session with sftp as it is typed in a folder where `var` is the data directory."""
    (folder / "var").symlink_to(product.data)
    call, *lines = script.splitlines()
    call = re.sub(r"#.*", "", call).replace("-P 2222", f"-P {product.sftp['port']}")
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=no -b -"
    subprocess.run(
        ["bash", "-ec", call.replace("sftp ", f"sshpass -e sftp {options} ")],
        input="".join(f"{line.removeprefix('sftp> ')}\n" for line in lines),
        cwd=folder,
        env={**os.environ, "SSHPASS": product.account("SFTP")["password"]},
        text=True,
        check=True,
        timeout=60,
    )


def result_after(folder: Path, name: str) -> str:
    """The result of a file that has been sent with a manifest: it is there when that is gone."""
    wait(lambda: not list(folder.glob(f"{Path(name).stem}.done*")), 60)
    return (folder / f"{name}.result.txt").read_text()


@TERMINAL
def test_the_session_sends_the_file_that_up_has_written(product: Product, tmp_path: Path) -> None:
    typed(product, block("README.md", "Send a file").text, tmp_path)
    result = result_after(product.folder(ACCOUNTS), "more_accounts.csv")
    assert result.startswith("complete: more_accounts.csv")


@TERMINAL
def test_the_manifest_that_is_shown_is_one_for_that_file(product: Product, tmp_path: Path) -> None:
    manifest = block("README.md", "Send a file", 2).text
    (reference,) = parse(manifest.encode()).references
    assert reference.problem is None
    (tmp_path / "own.csv").write_bytes((product.data / "sample" / reference.name).read_bytes())
    (tmp_path / "own.done").write_text(manifest.replace(reference.name, "own.csv"))
    session = block("README.md", "Send a file").text
    typed(product, session.replace("var/sample/more_accounts", "own"), tmp_path)
    assert result_after(product.folder(ACCOUNTS), "own.csv").startswith("complete: own.csv")


def test_the_commands_make_an_institution_in_the_running_product(
    product: Product, oak: str
) -> None:
    assert "ada@oak.example logs in with the password" in oak
    assert "oak-sis logs in with the password" in oak
    assert "Oak College" in product.person("Operator").read("/system/")


def test_the_next_section_makes_an_account_for_its_templates(product: Product, oak: str) -> None:
    output = product.run(block("README.md", "Import any CSV: templates").text)
    login = output.split()[0]
    assert login == "rosters_admin_oakcollege_co"
    assert f"`{login}`" in Path("README.md").read_text()


def test_the_programs_of_the_last_section_are_there() -> None:
    section = block("README.md", "Test it").text
    programs = re.findall(r"(?<!/)(?:bin|bench|tests)/[\w.]+", section)
    assert len(programs) >= 5
    assert all(Path(program).exists() for program in programs)
