"""The HTML templates: lines that fit on a screen, and a file for each kind of step."""

from __future__ import annotations

from pathlib import Path

import pytest

from imports.web.wizard.step_form import KINDS

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STEPS = TEMPLATES / "imports" / "wizard" / "steps"
WIDTH = 140


def wide_lines(text: str) -> list[int]:
    """The numbers of the lines that are too wide."""
    return [number for number, line in enumerate(text.splitlines(), 1) if len(line) > WIDTH]


def templates() -> list[Path]:
    return [path for path in TEMPLATES.rglob("*") if path.is_file()]


def test_no_line_of_a_template_is_wider_than_140_characters() -> None:
    widths = {
        path.relative_to(ROOT).as_posix(): lines
        for path in templates()
        if (lines := wide_lines(path.read_text(encoding="utf-8")))
    }
    assert len(templates()) > 100
    assert widths == {}


@pytest.mark.parametrize(("width", "lines"), [(WIDTH, []), (WIDTH + 1, [2])])
def test_a_line_that_is_too_wide_is_noticed(width: int, lines: list[int]) -> None:
    assert wide_lines("<p>\n" + "x" * width + "\n</p>\n") == lines


def test_every_kind_of_step_has_the_template_of_its_inputs() -> None:
    assert {path.stem for path in STEPS.glob("[!_]*.html")} == set(KINDS)
