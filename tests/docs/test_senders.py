"""docs/senders.md says what the code does, and its scripts are at least programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import xmlschema

from imports.arrivals.names import RESULT_ENDING
from imports.manifest import ManifestState, Problem, parse
from portal.dropserver.rights import ERRORS_ENDING
from tests.docs.blocks import ROOT, block

TEXT = (ROOT / "docs" / "senders.md").read_text()
XSD = ROOT / "docs" / "manifest.xsd"


def longest(language: str) -> str:
    """The longest code block in that language."""
    return max(re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL), key=len)


@pytest.mark.parametrize("problem", Problem)
def test_it_explains_every_value_of_the_invalid_attribute(problem: Problem) -> None:
    assert f"| `{problem.value}` |" in TEXT


@pytest.mark.parametrize("state", ManifestState)
def test_it_explains_every_state(state: ManifestState) -> None:
    assert f"| `accounts.done.{state.value}` |" in TEXT


def test_it_explains_every_first_word_of_a_result() -> None:
    schema = json.loads((ROOT / "docs" / "result.schema.json").read_text())
    words = {*schema["properties"]["state"]["enum"]} - {"dry_run"}  # of the wizard, in no folder
    rows = [row.split("|")[1] for row in TEXT.splitlines() if row.strip().startswith("| `")]
    assert words <= {*re.findall(r"`(\w+)`", " ".join(rows))}


def test_its_example_is_a_manifest_without_a_problem() -> None:
    manifest = block("docs/senders.md", "The manifest").text
    xmlschema.XMLSchema(XSD).validate(manifest)
    references = parse(manifest.encode()).references
    assert len(references) == 2
    assert all(reference.problem is None for reference in references)


def test_it_names_the_files_that_the_portal_writes() -> None:
    assert f"`<file>{RESULT_ENDING}`" in TEXT
    assert f"`<file>{ERRORS_ENDING}`" in TEXT


def test_the_python_script_compiles() -> None:
    compile(longest("python"), "send.py", "exec", dont_inherit=True)


def test_the_python_script_writes_a_good_manifest(tmp_path: Path) -> None:
    data = tmp_path / 'it\'s "one" & <two>.csv'
    data.write_bytes(b"")
    namespace: dict[str, object] = {"__name__": "send"}
    exec(compile(longest("python"), "send.py", "exec", dont_inherit=True), namespace)  # noqa: S102
    (reference,) = parse(namespace["manifest_of"]([data])).references
    assert reference.name == data.name
    assert reference.checksum == "d41d8cd98f00b204e9800998ecf8427e"
    assert reference.problem is None


def test_the_scripts_for_windows_end_where_the_others_end() -> None:
    """They cannot run here: the names that they look for are at least the portal's."""
    script = longest("powershell")
    assert "$manifest.result.txt" in script
    assert "'^held:'" in script
    assert "'^complete:'" in script
    assert "TIMESTAMP" in longest("bat"), "each manifest has a name of its own"
    assert ".done" in longest("bat")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_bash_script_parses() -> None:
    checked = subprocess.run(["bash", "-n"], input=longest("bash"), text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")
