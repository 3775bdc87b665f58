"""The fenced blocks of the documents, by the heading that they stand under."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^ *(```+|~~~+)\s*(\w*)")


@dataclass(frozen=True, slots=True)
class Block:
    """One block. number: its place under its heading, from 1. line: of its fence."""

    document: str
    heading: str
    number: int
    language: str
    text: str
    line: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.document, self.heading, self.number


def documents() -> list[str]:
    """Every document that a person follows, by its path from the project's folder."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def in_text(document: str, text: str) -> Iterator[Block]:
    """The blocks of a document with that text. Raises ValueError if one is not closed."""
    heading, fence, language, start = "", "", "", 0
    content: list[str] = []
    numbers: Counter[str] = Counter()
    for line, row in enumerate(text.splitlines(), 1):
        match = _FENCE.match(row)
        if fence and row.strip() == fence:
            numbers[heading] += 1
            body = "\n".join([*content, ""])
            yield Block(document, heading, numbers[heading], language, body, start)
            fence, content = "", []
        elif fence:
            content.append(row)
        elif match:
            fence, language, start = match[1], match[2], line
        elif row.startswith("#"):
            heading = row.lstrip("# ").strip()
    if fence:
        raise ValueError(f"{document}: the block in line {start} is not closed")


@cache
def of_document(document: str) -> tuple[Block, ...]:
    """The blocks of a document, in its order."""
    return tuple(in_text(document, (ROOT / document).read_text("utf-8")))


def block(document: str, heading: str, number: int = 1) -> Block:
    """The block that a test runs: `test_blocks.py` finds these calls and misses no block.

    Raises KeyError if the document has no such block.
    """
    blocks = {each.key: each for each in of_document(document)}
    return blocks[document, heading, number]
