"""The one-way imports of the design, as `.importlinter` has them."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"
NO_LAYER = {"imports.apps", "imports.migrations"}


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


def test_every_step_of_an_import_has_its_layer() -> None:
    layers = contracts()["importlinter:contract:imports"]["layers"]
    placed = set(re.findall(r"imports\.\w+", layers))
    found = {
        f"imports.{path.stem}"
        for path in (ROOT / "imports").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert found - placed - NO_LAYER == set()


def test_what_needs_no_framework_is_in_the_pure_core() -> None:
    """A new step that imports nothing impure belongs into the contract that keeps it so."""
    pure = set(contracts()["importlinter:contract:pure"]["source_modules"].split())
    for name in ("arrivals", "manifest", "dialect", "scanning", "fields", "mapping", "validation"):
        assert f"imports.{name}" in pure
