"""ARCHITECTURE.md and CONTRIBUTING.md name rooms that exist, and ARCHITECTURE.md all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
PACKAGES = ("imports", "portal")
NO_ROOM = {"migrations", "templatetags", "locale", "static", "__pycache__"}


def paths(text: str) -> set[str]:
    """Paths between backticks that begin in one of our folders. `a/{b,c}.py` is two of them."""
    named: set[str] = set()
    for word in re.findall(r"`([\w./{},-]+)`", text):
        begun, brace, rest = word.partition("{")
        choices, _, end = rest.partition("}")
        named |= {f"{begun}{choice}{end}" for choice in choices.split(",")} if brace else {word}
    tops = ("imports/", "exports/", "portal/", "tests/", "templates/", "docs/", "bench/", "bin/")
    return {path for path in named if path.startswith(tops)}


def exists(path: str) -> bool:
    """Whether it is a file or folder; a module may be named without its ending."""
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


@pytest.mark.parametrize("guide", GUIDES)
def test_every_path_that_a_guide_names_exists(guide: str) -> None:
    named = paths((ROOT / guide).read_text("utf-8"))
    assert len(named) > 10
    assert sorted(path for path in named if not exists(path)) == []


def test_a_path_that_is_not_there_is_noticed() -> None:
    assert paths("`imports/nowhere.py`, `imports/{scan,elsewhere}`") == {
        "imports/nowhere.py",
        "imports/scan",
        "imports/elsewhere",
    }
    assert not exists("imports/nowhere.py")


RECIPES = {  # a recipe, and what a module has to do with the thing that it adds
    "a field type": r"FieldType\.(?:CIP|ZIP)\b",
    "a step of a template's field": r"\bPad\b|\"pad\"",
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_every_module_that_the_last_such_thing_needed(recipe: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    start = text.index(f"**… {recipe}.**")
    steps = re.sub(r"\s+", " ", text[start : text.index("\n\n", start)])
    needs = re.compile(RECIPES[recipe])
    modules = [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if needs.search(path.read_text("utf-8"))
    ]
    assert len(modules) >= 4
    assert [str(path) for path in modules if path.name not in steps] == []
    assert "tests/" in steps, "and which tests"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_in_the_architecture(package: str) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} - NO_ROOM
    assert sorted(room for room in rooms if f"`{room}/`" not in text) == []
