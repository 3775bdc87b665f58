"""One-line mutations of the rooms that protect data: what may be changed, and how.

A mutant is one change of one expression or statement. Nothing is changed where a test would only
repeat the code: texts for logs and exceptions, annotations, and numbers that are a module's
constants, since these are decisions.
"""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "collect": ("imports/collect/*.py",),
    "load": ("imports/load/*.py",),
    "jobs": ("imports/jobs/*.py",),
    # The modules of exports/ that carry a file to its destination.
    "deliver": tuple(
        f"exports/{name}.py" for name in ("attempts", "delivery", "retry", "sending", "trigger")
    ),
}
Variant = tuple[str, ast.AST]  # what is changed, in words, and what stands there instead

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_NARROWING = {"filter", "exclude", "select_for_update", "order_by", "distinct"}
_QUERYING = {*_NARROWING, "get", "update", "Q"}
_TENANT = {"tenant", "tenant_id"}  # row-level security asks the same once more
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|JOIN|AND)\b")
_LEFT_OUT_OF_SQL = (
    r" AND (?:(?!\bAND\b|\bOR\b|[()]).)+?(?= AND | OR | GROUP | ORDER |$)",
    r" AND [^()]*\([^()]*\)(?= AND | OR | GROUP | ORDER |\)|$)",
    r" WHERE (?:(?! AND | WHERE |[()]).)+?(?= ORDER | GROUP | LIMIT |$)",
    r"(?<=IS )NOT (?=NULL)",
    r"NOT (?=EXISTS)",
    r"(?<=AND )NOT (?!EXISTS|NULL)",
    r"DISTINCT (?!ON)",
    r"lower(?=\()",
)
_SHIFTS_IN_SQL = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "),
                  (" DESC", ""), ("true", "false"), ("false", "true")]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """site, variant: their numbers in the file's tree. statement: its line, 0 outside functions.

    identity: file, changed line and change, without line numbers: it names the mutant also after
    lines were added above it.
    """

    room: str
    path: str
    line: int
    statement: int
    site: int
    variant: int
    change: str
    identity: str

    def tree(self) -> ast.Module:
        """The module with the mutation."""
        tree = ast.parse((ROOT / self.path).read_text())
        site, _statement = list(sites(tree))[self.site]
        _words, new = list(variants(site))[self.variant]
        mutated = _Exchange(site, new).visit(tree)
        return ast.fix_missing_locations(mutated)


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return ast.copy_location(self.new, node)
        return self.generic_visit(node)


def sites(tree: ast.Module) -> Iterator[tuple[ast.AST, int]]:
    """Each node that may be mutated, with the line of its statement; 0 outside functions."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((inner, 0) for inner in ast.walk(node.value) if not _is_number(inner))
        for function in [node, *(node.body if isinstance(node, ast.ClassDef) else [])]:
            if isinstance(function, ast.FunctionDef):
                for statement in function.body:
                    yield from _inside(statement, statement.lineno)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _inside(node: ast.AST, line: int) -> Iterator[tuple[ast.AST, int]]:
    """The node and those in it, without texts for people and annotations."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Raise() | ast.Assert() | ast.FormattedValue():
            return
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log"))) | ast.Global():
            return
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
            return
        case ast.keyword(arg="strict"):
            return  # of zip: it asserts what holds
    if isinstance(node, ast.stmt):
        line = node.lineno
    yield node, line
    skipped = {id(getattr(node, "annotation", None)), id(getattr(node, "returns", None))}
    for child in ast.iter_child_nodes(node):
        is_default = isinstance(node, ast.BoolOp) and isinstance(child, ast.Constant)
        if id(child) not in skipped and not isinstance(child, ast.arguments) and not is_default:
            yield from _inside(child, line)


def variants(node: ast.AST) -> Iterator[Variant]:
    """What may stand in the node's place."""
    yield from _conditions(node)
    yield from _values(node)
    match node:
        case ast.Expr(value=ast.Call()):
            yield "drop a call", ast.Pass()
        case ast.comprehension(ifs=[_, *_]):
            yield "drop an if", _with(node, ifs=[])
        case ast.Call():
            yield from _calls(node)


def _conditions(node: ast.AST) -> Iterator[Variant]:
    match node:
        case ast.BoolOp(values=values):
            for dropped in values:
                if isinstance(node.op, ast.Or) and isinstance(dropped, ast.Constant):
                    continue  # what stands for None, and for the type checker
                rest = [value for value in values if value is not dropped]
                yield "drop a condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.Compare(ops=[operator], left=left, comparators=[right]):
            if opposite := _OPPOSITES.get(type(operator)):
                yield "compare otherwise", ast.Compare(left, [opposite()], [right])
            is_choice = isinstance(operator, ast.In | ast.NotIn)
            if is_choice and isinstance(right, ast.Set | ast.Tuple) and len(right.elts) > 1:
                for index in range(len(right.elts)):
                    rest = _with(right, elts=[*right.elts[:index], *right.elts[index + 1 :]])
                    yield "drop a member", ast.Compare(left, [operator], [rest])
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Compare):
            yield "negate", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "negate", operand


def _values(node: ast.AST) -> Iterator[Variant]:
    match node:
        case ast.Constant(value=bool(value)):
            yield "other truth", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield "number", ast.Constant(value + 1)
        case ast.Constant(value=str(text)) if _SQL.search(text):
            yield from (("sql", ast.Constant(new)) for new in _sql(text))
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=left) if not _is_text(node):
            yield "drop a term", left


def _calls(node: ast.Call) -> Iterator[Variant]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    keywords = [keyword for keyword in node.keywords if keyword.arg not in _TENANT]
    is_tenant = bool(node.keywords) and not keywords and not node.args
    if name in _NARROWING and isinstance(node.func, ast.Attribute) and not is_tenant:
        every = ast.Call(ast.Attribute(node.func.value, "all", ast.Load()), [], [])
        yield f"drop {name}", every
    if name in _QUERYING and len(node.keywords) > 1:
        for dropped in keywords:
            rest = [keyword for keyword in node.keywords if keyword is not dropped]
            yield "drop a keyword", ast.Call(node.func, node.args, rest)
    if name in ("min", "max"):
        other = ast.Name("max" if name == "min" else "min", ast.Load())
        yield "min, max", ast.Call(other, node.args, node.keywords)


def _sql(text: str) -> Iterator[str]:
    for pattern in _LEFT_OUT_OF_SQL:
        for match in re.finditer(pattern, text):
            yield text[: match.start()] + text[match.end() :]
    for old, new in _SHIFTS_IN_SQL:
        for match in re.finditer(re.escape(old), text):
            yield text[: match.start()] + new + text[match.end() :]


def _with(node: ast.AST, **changes: object) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **changes})


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in ast.walk(node)
    )


def all_of(room: str) -> Iterator[Mutant]:
    """Every mutant of a room, in the order of its files."""
    for path in sorted(path for pattern in ROOMS[room] for path in ROOT.glob(pattern)):
        name = path.relative_to(ROOT).as_posix()
        lines = path.read_text().splitlines()
        for number, (site, statement) in enumerate(sites(ast.parse(path.read_text()))):
            for variant, (words, new) in enumerate(variants(site)):
                line = getattr(site, "lineno", 0) or site.target.lineno  # type: ignore[attr-defined]
                change = f"{words}: {_shown(site, new)}"
                identity = f"{name} | {lines[line - 1].strip()} | {change}"
                yield Mutant(room, name, line, statement, number, variant, change, identity)


def _shown(old: ast.AST, new: ast.AST) -> str:
    """The change in one short line: only what differs."""
    before, after = (" ".join(_source(node).split()) for node in (old, new))
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, start - 12)
    return f"{before[start : start + 70]} -> {after[start : start + 70]}"


def _source(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return ast.unparse(node.test)
    return ast.unparse(node)


def sample(seed: int, size: int) -> list[Mutant]:
    """The same share of each room, and within a room of each kind of change as far as it goes."""
    chance = random.Random(seed)
    chosen = []
    for room in ROOMS:
        kinds: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in all_of(room):
            kinds[mutant.change.partition(":")[0]].append(mutant)
        for mutants in kinds.values():
            chance.shuffle(mutants)
        chosen += _in_turns([kinds[kind] for kind in sorted(kinds)], size // len(ROOMS))
    chance.shuffle(chosen)
    return chosen


def _in_turns(kinds: list[list[Mutant]], size: int) -> list[Mutant]:
    chosen: list[Mutant] = []
    pop: Callable[[list[Mutant]], Mutant] = list.pop
    while len(chosen) < size and any(kinds):
        chosen += [pop(mutants) for mutants in kinds if mutants]
    return chosen[:size]
