"""What is wrong with something that somebody gave the portal, as a value. Pure.

A fault is made where the rule is, and handed up unchanged. Only the face (a page, a receipt, an
API answer) makes a sentence of it, so that nobody ever takes a sentence apart again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

Step = str | int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    path: where, from the outside in: names of members and positions from 0; empty for the whole.
    code: stable, in snake case: programs and tests tell faults apart by it. message: an English
    sentence or two that say what was found, what was expected and what to do, with the parameters
    as `%(name)s` placeholders; a per cent sign is written twice. params: the values, foreign text
    already made harmless.
    """

    path: tuple[Step, ...]
    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params

    @property
    def where(self) -> str:
        """The path in one word, as `fields.mail.steps[0]`; empty for the whole."""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return text.removeprefix(".")

    def below(self, *path: Step) -> Fault:
        """The same fault as seen from further out: the path begins with `path`."""
        return replace(self, path=(*path, *self.path))


class Refused(Exception):
    """Nothing was done, because of at least one fault."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(" ".join(str(fault) for fault in faults))
        self.faults = faults

    @property
    def sentences(self) -> list[str]:
        """The faults as a page shows them."""
        return [str(fault) for fault in self.faults]


def refuse(faults: Collection[Fault]) -> None:
    """Raise Refused where there are faults."""
    if faults:
        raise Refused(*faults)
