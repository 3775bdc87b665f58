"""What a document names is there under that name: links, labels of pages, variables, options."""

from __future__ import annotations

import re
from itertools import chain

import pytest
from django.utils.text import slugify

from portal.management.commands.up import Command
from tests.docs.blocks import ROOT, documents

OTHERS = ("docs/decisions/", "bench/", "CHANGELOG")
GUIDES = [name for name in documents() if not name.startswith(OTHERS)]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
LABEL = re.compile(r"(?<!\*)\*([A-Z][^*\n]{1,60})\*(?!\*)")
VARIABLE = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)[`=]")
# Not of the pages: an export of the demo, a heading of the changelog. Not read by the product: the
# limit of the tests, a variable of a script.
OTHER_LABELS = {"Course completions", "Unreleased"}
OTHER_VARIABLES = {"TIME_LIMIT", "LC_MESSAGES"}


def prose(document: str) -> str:
    """The document without its blocks."""
    return re.sub(r"```.*?```", "", (ROOT / document).read_text("utf-8"), flags=re.DOTALL)


def messages() -> set[str]:
    """All texts of the pages, in English."""
    catalogue = (ROOT / "portal/locale/es_MX/LC_MESSAGES/django.po").read_text("utf-8")
    entries = re.findall(r'^msgid ((?:"(?:[^"\\]|\\.)*"\s*)+)', catalogue, re.MULTILINE)
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', entry)) for entry in entries}


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_somewhere(document: str) -> None:
    for path, anchor in LINK.findall(prose(document)):
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slugify(heading.replace("'", "")) for heading in headings}, anchor


@pytest.mark.parametrize("document", GUIDES)
def test_every_label_that_is_named_is_on_a_page(document: str) -> None:
    labels = {label.rstrip(".:") for label in LABEL.findall(prose(document))}
    assert labels - messages() - OTHER_LABELS == set()


def test_every_variable_that_is_named_is_explained() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    named = set(chain.from_iterable(VARIABLE.findall(prose(document)) for document in GUIDES))
    assert len(named) > 10
    assert {name for name in named - OTHER_VARIABLES if f"{name}=" not in example} == set()


def test_the_readme_has_each_option_of_the_launcher_with_its_default() -> None:
    row = re.compile(r"^\| `(--?[\w-]+)[^|]*\|[^|]*\| *`?([^|`]*)", re.MULTILINE)
    rows = row.findall(prose("README.md"))
    parser = Command().create_parser("manage.py", "up")
    actions = {option: action for action in parser._actions for option in action.option_strings}
    for option, default in rows:
        shown = str(actions[option].default).removeprefix(f"{ROOT}/")
        assert default.strip() in (shown, ""), option
    own = {"--data", "--http", "--sftp", "--no-demo"}
    assert own <= {option for option, _ in rows}
