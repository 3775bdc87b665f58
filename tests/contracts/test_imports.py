"""The one-way imports of the design, as `.importlinter` has them."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"
PURE_ROOMS = ("arrivals", "check", "manifest", "mapping", "report", "scan")


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", str(config)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def test_every_contract_is_kept() -> None:
    done = lint(ROOT / ".importlinter")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert kept
    assert int(kept[1]) == len(contracts().sections()) - 1


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ini"
    broken.write_text(
        "[importlinter]\nroot_packages =\n    portal\ninclude_external_packages = True\n"
        "[importlinter:contract:x]\nname = x\ntype = forbidden\n"
        "source_modules = portal.vault\nforbidden_modules = django\n"
    )
    done = lint(broken)
    assert done.returncode == 1
    assert "portal.vault -> django" in done.stdout


def test_the_pure_core_is_named_by_folder_in_imports() -> None:
    """A list of modules is forgotten by whoever adds one; a folder is not."""
    pure = set(contracts()["importlinter:contract:pure"]["source_modules"].split())
    rooms = {name for name in pure if name.startswith("imports.") and name != "imports.issues"}
    assert rooms == {f"imports.{name}" for name in PURE_ROOMS}
    assert all((ROOT / "imports" / name / "__init__.py").exists() for name in PURE_ROOMS)
