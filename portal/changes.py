"""Who changes something, and what happens when two people change the same thing at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from portal.faults import Fault, Refused
from portal.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who acts. address: of their client, None where it is unknown."""

    user: User
    address: str | None = None


class ChangedMeanwhile(Refused):
    """Somebody else has saved since the person looked, so nothing was written.

    number: the version that is stored now; 0 of what has no versions. differs: names of what the
    person sent that is not as it is stored; empty where the refused change is not compared.
    """

    def __init__(self, fault: Fault, *, number: int = 0, differs: Sequence[str] = ()) -> None:
        super().__init__(fault)
        self.number, self.differs = number, tuple(differs)


def fingerprint(value: object) -> str:
    """A short text that differs where the JSON value does: what a page showed of it."""
    written = json.dumps(value, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:32]
