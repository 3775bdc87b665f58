"""The first day with the product: look at the demo's files and send another one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from tests.stories.product import Product, wait


def test_the_demo_ends_as_the_readme_says(product: Product) -> None:
    manager = product.person("Data manager")
    own = [job for job in manager.jobs() if job["file"] != "more_accounts.csv"]  # sent by hand
    assert Counter(job["status"] for job in own) == {"Complete": 8, "Incomplete": 1, "Failed": 1}
    assert "completions.csv" in manager.read("/jobs/")
    assert "courseCompletion" in manager.read("/events/")
    assert "Course completions" in manager.read("/exports/")
    folders = manager.read("/arrivals/folders/")
    assert "enrollments_forgotten.csv" in folders
    assert "courses_by_hand.done.INVALIDSCHEMA" in folders
    assert "instructors_fall.done.CONTAINSINVALIDFILES" in folders


def test_the_failed_and_the_incomplete_file_say_what_to_do(product: Product) -> None:
    manager = product.person("Data manager")
    failed = manager.read(manager.job("sections_export.csv"))
    assert "SectionIdentifier" in failed
    assert "Section Identifer" in failed
    incomplete = manager.read(manager.job("late_accounts.csv"))
    assert "omar-at-riverbend.example" in incomplete


@pytest.mark.skipif(not shutil.which("sshpass"), reason="needs sshpass to type the password")
def test_the_printed_command_sends_another_file(product: Product) -> None:
    printed = re.search(r"Send +(.+)", product.output)
    assert printed
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    command = printed[1].replace("| sftp ", f"| sshpass -e sftp {options} ")
    password = product.account("SFTP")["password"]
    subprocess.run(
        ["bash", "-c", command], env={**os.environ, "SSHPASS": password}, check=True, timeout=60
    )
    folder = product.folder("Accounts/AccountImports")
    result = folder / "more_accounts.csv.result.txt"
    wait(lambda: result.exists(), 60)
    assert result.read_text().startswith("complete: more_accounts.csv")
    wait(lambda: not (folder / "more_accounts.csv").exists(), 60)
    page = product.person("Data manager").read("/records/accounts/?q=00300001")
    assert "mira@riverbend.example" in page
