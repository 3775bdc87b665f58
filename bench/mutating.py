"""A pytest plugin that tries mutants, in two runs of the tests; `bench/mutants` starts both.

With MUTANTS_REACH=DIR it notes which test reaches which statement of the rooms. With
MUTANTS_TRY=DIR no test runs as usual: once everything is imported the process forks for each
mutant, so that a mutant costs no start of Python. The child gives the loaded functions the mutated
code, runs the tests that reach the statement until one fails, and is gone with all that it changed.
"""

from __future__ import annotations

import ast
import functools
import gc
import importlib
import inspect
import json
import os
import select
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings

from bench.mutations import ROOMS, ROOT, Mutant, sample
from tests import embedded

REACH, TRY = os.environ.get("MUTANTS_REACH", ""), os.environ.get("MUTANTS_TRY", "")
REACHED: set[str] = set()
AFTER_TIME = 120.0  # seconds that a child gets beyond its time before it is killed


def pytest_configure(config: pytest.Config) -> None:
    if REACH:
        config.pluginmanager.register(Reach())
    if TRY:
        # The same examples each time, and none of those that failed a mutant is kept.
        gate = settings.get_profile("gate")
        settings.register_profile("mutants", parent=gate, database=None, derandomize=True)
        settings.load_profile("mutants")


def module_of(path: str) -> ModuleType:
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))


def give_code(module: ModuleType, tree: ast.Module) -> None:
    """Give the functions that were made of the module the code that they have in the tree."""
    codes = {_place(code): code for code in _functions(compile(tree, str(module.__file__), "exec"))}
    for held in gc.get_objects():
        if isinstance(held, FunctionType) and held.__code__.co_filename == module.__file__:
            held.__code__ = codes.get(_place(held.__code__), held.__code__)


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The code of the functions of a module and of its classes."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            is_function = constant.co_flags & inspect.CO_NEWLOCALS
            yield from [constant] if is_function else _functions(constant)


def give_constants(module: ModuleType, tree: ast.Module, line: int) -> None:
    """Make a module's constant anew, what is made of it, and what others have imported of both."""
    changed: set[str] = set()
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        names = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
        if statement.lineno <= line <= (statement.end_lineno or 0) or names & changed:
            name = statement.targets[0].id
            old = vars(module)[name]
            exec(compile(ast.Module([statement], []), "mutant", "exec"), vars(module))  # noqa: S102
            changed.add(name)
            for other in list(sys.modules.values()):
                for key, value in list(vars(other).items()):
                    if value is old and not isinstance(old, int | None):
                        setattr(other, key, vars(module)[name])


class Reach:
    """Notes which statements of the rooms each test reaches, and its seconds."""

    def __init__(self) -> None:
        self.notes: dict[str, tuple[float, list[str]]] = {}

    def pytest_collection_finish(self) -> None:
        for pattern in (pattern for patterns in ROOMS.values() for pattern in patterns):
            for path in sorted(ROOT.glob(pattern)):
                name = path.relative_to(ROOT).as_posix()
                tree = ast.parse(path.read_text())
                for node in list(ast.walk(tree)):
                    if not isinstance(node, ast.Module | ast.ClassDef):
                        _note(node, name)
                module = module_of(name)
                vars(module)["__reached__"] = REACHED
                give_code(module, tree)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        REACHED.clear()
        began = time.monotonic()
        yield
        self.notes[item.nodeid] = (round(time.monotonic() - began, 3), sorted(REACHED))

    def pytest_sessionfinish(self) -> None:
        if self.notes:
            Path(REACH, f"{os.getpid()}.reach").write_text(json.dumps(self.notes))


def _note(node: ast.AST, path: str) -> None:
    """Put a note before each statement in the node."""
    for field in ("body", "orelse", "finalbody"):
        statements = getattr(node, field, None)
        if isinstance(statements, list):
            noted = []
            for statement in statements:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    noted.append(statement)  # a docstring
                    continue
                note = ast.parse(f"__reached__.add('{path}:{statement.lineno}')").body[0]
                for part in ast.walk(note):
                    ast.copy_location(part, statement)
                noted += [note, statement]
            setattr(node, field, noted)


class MutantOutcome:
    """What the tests in a child say."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, bool]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append((report.nodeid, "Timeout (>" in str(report.longrepr)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if not TRY:
        return None
    embedded.ensure_servers()
    order = json.loads(Path(TRY, "order.json").read_text())
    reach: dict[str, tuple[float, list[str]]] = {}
    for path in Path(TRY).glob("*.reach"):
        reach |= json.loads(path.read_text())
    items = {item.nodeid: item for item in session.items if item.nodeid in reach}
    killers = []
    for number, mutant in enumerate(sample(order["seed"], order["size"])):
        if (order["only"] and number not in order["only"]) or not _claim(number):
            continue
        if mutant.identity in order["equivalent"]:
            _note_result(number, mutant, {"failed": [], "tests": 0, "equivalent": True})
            continue
        tests = [items[name] for name in chosen(mutant, reach) if name in items]
        result = _in_child(functools.partial(_try, session, mutant, tests, order["seconds"]))
        killers += [items[name] for name, _timed_out in result["failed"] if name in items]
        _note_result(number, mutant, {**result, "tests": len(tests)})
    # What fails without a mutation, too, has killed nothing.
    control = _in_child(functools.partial(_try, session, None, list(dict.fromkeys(killers)), 600.0))
    Path(TRY, f"{os.getpid()}.control").write_text(json.dumps(control))
    return True


def _note_result(number: int, mutant: Mutant, result: dict[str, Any]) -> None:
    named = {"mutant": mutant.identity, "line": mutant.line, **result}
    Path(TRY, f"{number}.result").write_text(json.dumps(named))


def _claim(number: int) -> bool:
    try:
        Path(TRY, f"{number}.claimed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def chosen(mutant: Mutant, reach: dict[str, tuple[float, list[str]]]) -> list[str]:
    """The tests that reach the mutant's statement, or any of its module.

    Those come first that reach most of the module, and of tests that reach the same statements of
    it the quickest one: a statement that all tests reach is seen from all sides before its time is
    over.
    """
    module = f"{mutant.path}:"
    place = f"{module}{mutant.statement or ''}"
    alike: dict[frozenset[str], list[tuple[float, str]]] = defaultdict(list)
    for name, (taken, places) in reach.items():
        inside = frozenset(place for place in places if place.startswith(module))
        if place in inside or (inside and not mutant.statement):
            alike[inside].append((taken, name))
    ranked = [
        (rank, -len(inside), taken, name)
        for inside, tests in alike.items()
        for rank, (taken, name) in enumerate(sorted(tests))
    ]
    return [name for *_, name in sorted(ranked)]


def _in_child(work: functools.partial[Any]) -> dict[str, Any]:
    """Run the work in a forked child and return what it has written; nothing where it hangs."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            os.write(writer, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    os.close(writer)
    ended = os.pidfd_open(child)
    in_time = select.select([ended], [], [], work.args[-1] + AFTER_TIME)[0]
    if not in_time:
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ended)
    with open(reader, "rb") as file:  # noqa: PTH123 - a descriptor
        os.set_blocking(reader, False)
        written = file.read() or b""
    try:
        os.killpg(child, signal.SIGKILL)  # what it has left
    except ProcessLookupError:
        pass
    if not in_time:
        return {"failed": [["the time limit", True]]}
    return json.loads(written) if written else {"failed": [["the end of the process", False]]}


def _try(
    session: pytest.Session, mutant: Mutant | None, tests: list[pytest.Item], seconds: float
) -> dict[str, Any]:
    """In the child: mutate, and run the tests until one fails; all of them without a mutant."""
    began = time.monotonic()
    if mutant is not None:
        module, tree = module_of(mutant.path), mutant.tree()
        give_code(module, tree)
        if not mutant.statement:
            give_constants(module, tree, mutant.line)
    outcome, run = MutantOutcome(), 0
    session.config.pluginmanager.register(outcome)
    for item, following in zip(tests, [*tests[1:], None], strict=False):
        if time.monotonic() - began > seconds or (mutant is not None and outcome.failed):
            break
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        run += 1
    session._setupstate.teardown_exact(None)
    return {"failed": outcome.failed, "run": run, "seconds": round(time.monotonic() - began, 1)}
