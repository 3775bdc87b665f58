"""The house rules that a reader of the code relies on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("portal", "imports", "exports")
# Where no name may mean everything: packages and single files.
ROOMS = ("bench", "exports", "imports", "manage.py", "portal", "tests")
MEANS_EVERYTHING = {"told", "said", "found", "one", "made", "wanted", "known"}
LONGEST_FUNCTION, LONGEST_MODULE = 40, 300  # lines
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
    paths = list(modules(*PACKAGES, "tests"))
    assert len(paths) > 100
    assert [relative(p) for p in paths if {p.stem, *p.parent.parts} & SHAPELESS] == []


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
    paths = [relative(p) for p in texts() if MACHINE.search(p.read_text(errors="replace"))]
    assert paths == []


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
    lines_by_file = {
        relative(path): lines
        for path in modules(*PACKAGES)
        if (lines := taken_apart(path.read_text(encoding="utf-8")))
    }
    assert lines_by_file == {}


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
    lines_by_file = {
        relative(path): lines
        for path in modules("imports/web", "exports/web", "portal/web", "portal/api")
        if (lines := chosen_by_status(path.read_text(encoding="utf-8")))
    }
    assert lines_by_file == {}


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


def python_files(room: str) -> Iterator[Path]:
    path = ROOT / room
    yield from [path] if path.is_file() else modules(room)


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that the code gives to something, with its line."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def meaning_everything(code: str) -> list[tuple[int, str]]:
    return [
        (line, name)
        for line, name in named(ast.parse(code))
        if name.strip("_").lower() in MEANS_EVERYTHING
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_a_name_says_what_the_thing_is(room: str) -> None:
    paths = list(python_files(room))
    assert paths
    assert {
        relative(path): names
        for path in paths
        if (names := meaning_everything(path.read_text(encoding="utf-8")))
    } == {}


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "for one in rows: pass",
        "[one for one in rows]",
        "self.known = 1",
        "class A:\n    told: str",
        "class Told: pass",
        "def made(): pass",
        "async def _made(): pass",
        "lambda wanted: 1",
        "def f(*, said): pass",
        "TOLD = 1",
        "_known: int = 1",
        "import a as found",
        "with a as found: pass",
        "try: pass\nexcept OSError as found: pass",
        "match a:\n    case [*found]: pass",
        "match a:\n    case {'b': found}: pass",
        "if found := a: pass",
    ],
)
def test_a_name_that_means_everything_is_noticed(code: str) -> None:
    assert len(meaning_everything(code)) == 1


@pytest.mark.parametrize(
    "code", ["known_types = 1", "a.found", "f(found=1)", "'found'", "import found", "f(one)"]
)
def test_a_name_that_says_more_or_is_not_given_here_is_left_alone(code: str) -> None:
    assert meaning_everything(code) == []


def too_long(code: str) -> list[str]:
    """The functions, or the module, that have too many lines."""
    lines = len(code.splitlines())
    return [
        *(
            f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
            for node in ast.walk(ast.parse(code))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.end_lineno is not None
            and node.end_lineno - node.lineno >= LONGEST_FUNCTION
        ),
        *([f"{lines} lines"] if lines > LONGEST_MODULE else []),
    ]


@pytest.mark.parametrize("room", [room for room in ROOMS if not room.startswith("tests")])
def test_functions_and_modules_are_short(room: str) -> None:
    assert {
        relative(path): faults
        for path in python_files(room)
        if (faults := too_long(path.read_text(encoding="utf-8")))
    } == {}


def test_a_function_and_a_module_that_are_too_long_are_noticed() -> None:
    function = "def f():\n" + "    pass\n" * 39
    assert too_long(function) == []
    assert too_long(function + "    pass\n") == ["f: 41 lines"]
    assert too_long("async " + function + "    pass\n") == ["f: 41 lines"]
    assert too_long("a = 1\n" * 300) == []
    assert too_long("a = 1\n" * 301) == ["301 lines"]
