"""The house rules that a reader of the code relies on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("portal", "imports", "exports")
SHAPELESS = {"utils", "util", "helpers", "helper", "common", "services", "misc"}
CSV_WRITERS = {"portal/people_csv.py", "exports/writing.py"}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".txt",
    ".in",
    ".xsd",
    ".html",
    ".css",
    ".js",
    ".sh",
}
# Spelled in parts, so that this file does not break its own rule.
MACHINE = re.compile(
    "|".join(rf"(?<![\w.$}}/-])/{name}/" for name in ("work", "root", r"home/\w+"))
)


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in (ROOT / folder).rglob("*.py") if "migrations" not in p.parts)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> Iterator[Path]:
    """Every file of the project that people read."""
    yield from (p for p in ROOT.iterdir() if p.is_file() and p.suffix in TEXT)
    for folder in (*PACKAGES, "bin", "bench", "docs", "templates", "tests", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and (path.suffix in TEXT or folder in ("bin", ".ci")):
                yield path


def test_no_module_has_a_name_that_says_nothing() -> None:
    found = list(modules(*PACKAGES, "tests"))
    assert len(found) > 100
    assert [relative(p) for p in found if {p.stem, *p.parent.parts} & SHAPELESS] == []


def test_csv_is_written_in_one_place_for_people_and_one_for_machines() -> None:
    """Anywhere else a cell that is a formula would not be neutralised."""
    writing = {
        relative(path)
        for path in modules(*PACKAGES)
        if re.search(r"\bcsv\.(writer|DictWriter)\b", path.read_text(encoding="utf-8"))
    }
    assert writing <= CSV_WRITERS
    assert "portal/people_csv.py" in writing


def test_no_file_names_a_machine() -> None:
    found = [relative(p) for p in texts() if MACHINE.search(p.read_text(errors="replace"))]
    assert found == []


@pytest.mark.parametrize("text", ["see /" + "work/x", "'/" + "root/.ssh'", "/" + "home/ada/x"])
def test_a_machines_path_is_recognised(text: str) -> None:
    assert MACHINE.search(text)


def taken_apart(source: str) -> list[int]:
    """The lines on which a fault's sentence is searched or cut, as far as its code shows that.

    Three signs: a search in the text of an exception or of a fault; a cut of a variable that is
    named after a fault; and a pattern that only a fault's sentence begins with, such as "name:".
    """
    lines = []
    tree = ast.parse(source)
    caught = {n.name for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            hit = _is_sentence(node.comparators[0], caught)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            hit = node.func.attr in CUTS and (
                _is_sentence(node.func.value, caught)
                or any(SENTENCE_STARTS.search(text) for text in _texts(node.args))
            )
        else:
            continue
        if hit:
            lines.append(node.lineno)
    return lines


CUTS = {
    *("startswith", "endswith", "removeprefix", "removesuffix"),
    *("split", "rsplit", "partition", "rpartition", "find", "index"),
}
SENTENCE_STARTS = re.compile(r"^(: |\w+: ?$|fields\.)")
SENTENCES = {"fault", "error", "sentence", "refusal"}


def _is_sentence(node: ast.expr, caught: set[str | None]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in SENTENCES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        (text, *_) = [*node.args, ast.Constant("")]
        return isinstance(text, ast.Name) and text.id in SENTENCES | caught
    return False


def _texts(arguments: list[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        for node in ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_nobody_takes_a_faults_sentence_apart() -> None:
    """A fault has a path, a code and parameters: code chooses by these."""
    found = {
        relative(path): lines
        for path in modules(*PACKAGES)
        if (lines := taken_apart(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        'fault.startswith(("name:", "There is a template named"))',
        'text.startswith("name:")',
        'path, _sign, words = fault.partition(": ")',
        '[line.split(": ")[0] for line in lines]',
        'fault.removeprefix("fields.field.")',
        'line.removeprefix("fields.field.")',
        'str(error).startswith("x")',
        'try:\n    save()\nexcept IntegrityError as taken:\n    "one_name" in str(taken)',
        '"name" in error',
    ],
)
def test_a_sentence_that_is_taken_apart_is_recognised(code: str) -> None:
    assert taken_apart(code)


@pytest.mark.parametrize(
    "code",
    [
        'fault.path[:1] == ("name",)',
        'fault.code == "name_taken"',
        'rest.startswith(":")',
        "str(fault)",
        '"a" in names',
        'name.removeprefix("-")',
    ],
)
def test_what_is_no_sentence_may_be_searched(code: str) -> None:
    assert not taken_apart(code)


def chosen_by_status(source: str) -> list[int]:
    """The lines that compare a variable `status` with a number of HTTP."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == "status"
        and any(isinstance(n, ast.Constant) and isinstance(n.value, int) for n in ast.walk(node))
    ]


def test_views_raise_or_return_and_choose_nothing_by_a_status() -> None:
    found = {
        relative(path): lines
        for path in modules("imports/web", "exports/web", "portal/web", "portal/api")
        if (lines := chosen_by_status(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_a_choice_by_status_is_recognised() -> None:
    assert chosen_by_status("if status == 302: go()")
    assert chosen_by_status("if status in (409, 422): show()")
    assert not chosen_by_status("status = 422 if form.errors else 200")


def test_every_command_is_documented() -> None:
    commands = {
        path.stem
        for package in PACKAGES
        for path in (ROOT / package).glob("management/commands/*.py")
        if path.stem != "__init__"
    }
    documents = "".join(p.read_text() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    assert commands >= {"up", "dropserver", "create_tenant"}
    assert {name for name in commands if f"manage.py {name}" not in documents} == set()


def test_the_environment_is_read_in_one_place() -> None:
    """Elsewhere only what starts or hands on processes touches it."""
    allowed = {"portal/env.py", "portal/wsgi.py", "portal/celery.py"}
    reading = {
        relative(path)
        for path in modules(*PACKAGES)
        if any(_is_environ(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert "portal/env.py" in reading
    assert {p for p in reading - allowed if not p.startswith("portal/runtime/")} == set()


def _is_environ(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
