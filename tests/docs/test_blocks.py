"""No fenced block of a document is left out: a test runs it, or it stands here with the reason."""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterator

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from tests.docs import blocks
from tests.docs.blocks import ROOT, Block

Key = tuple[str, str, int]
# Blocks that cannot run here, each with why. Keep it short.
NOT_RUN: dict[Key, str] = {
    ("docs/senders.md", "PowerShell with WinSCP", 1): "WinSCP's assembly is for Windows",
    ("docs/senders.md", "PowerShell with WinSCP", 2): "a batch file is for Windows",
}
# Blocks of which a test runs or checks what it can without a network or a second gate.
IN_PART: dict[Key, str] = {
    ("README.md", "Start it", 1): "git clone needs a network; bin/up is what the stories start",
    ("README.md", "Test it", 1): "the gate does not start itself; its programs must be there",
}


def requested() -> Counter[Key]:
    """The blocks that tests ask for, by their literal arguments of `block(…)`."""
    keys: Counter[Key] = Counter()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text("utf-8")
        if "docs.blocks" in text and path.name != "test_blocks.py":
            keys.update(_calls(ast.parse(text)))
    return keys


def _calls(tree: ast.Module) -> Iterator[Key]:
    names: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for target, value in zip(_flat(node.targets[0]), _flat(node.value), strict=False):
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                    names[target.id] = value.value
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "block":
            document, heading, *number = [_value(argument, names) for argument in call.args]
            yield str(document), str(heading), int(str(number[0])) if number else 1


def _flat(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _value(node: ast.expr, names: dict[str, object]) -> object:
    return names[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


def all_blocks() -> list[Block]:
    return [each for document in blocks.documents() for each in blocks.of_document(document)]


def test_each_block_is_run_or_says_why_not() -> None:
    run = requested()
    left_out = [each for each in all_blocks() if each.key not in run and each.key not in NOT_RUN]
    assert [f"{each.document}:{each.line} ({each.language})" for each in left_out] == []


def test_the_exceptions_are_blocks_and_few() -> None:
    keys = {each.key for each in all_blocks()}
    assert {*NOT_RUN, *IN_PART} <= keys
    assert not {*NOT_RUN} & {*requested()}
    assert len(NOT_RUN) + len(IN_PART) <= 6


def test_a_block_that_nobody_claims_is_noticed() -> None:
    text = "# A\n```sh\nls\n```\n## B\n```json\n{}\n```\ntext\n```\nplain\n```\n"
    keys = [each.key for each in blocks.in_text("x.md", text)]
    assert keys == [("x.md", "A", 1), ("x.md", "B", 1), ("x.md", "B", 2)]
    assert not {*keys} & {*requested()}
    with pytest.raises(ValueError, match="line 2 is not closed"):
        list(blocks.in_text("x.md", "\n```sh\nls\n"))


COMMAND = re.compile(r"manage\.py ([a-z_]+)([^`|\n]*)")


def written_commands() -> list[tuple[str, str, str]]:
    """Each `manage.py …` of a document, in a sentence or a block: document, command, arguments."""
    return [
        (document, match[1], match[2])
        for document in blocks.documents()
        if not document.startswith(("docs/decisions", "CHANGELOG"))
        for match in COMMAND.finditer((ROOT / document).read_text("utf-8"))
    ]


@pytest.mark.parametrize(("document", "name", "arguments"), written_commands())
def test_each_command_of_a_document_is_understood(document: str, name: str, arguments: str) -> None:
    app = get_commands()[name]
    command = app if not isinstance(app, str) else load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    if not arguments.strip() and any(a.required for a in parser._actions):
        return  # the command is only named
    try:
        parser.parse_args(shlex.split(arguments, comments=True))
    except (CommandError, SystemExit) as refusal:
        pytest.fail(f"{document}: manage.py {name}{arguments}: {refusal}")
