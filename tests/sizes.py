"""How much a test does: FULL=1 runs each in full size, the gate a part that proves the same."""

import os

from hypothesis import settings

FULL = os.environ.get("FULL") == "1"
TIME_LIMIT = 3_600 if FULL else 300  # seconds for one test with its fixtures; see `conftest.py`
_EXAMPLES = settings().max_examples  # Hypothesis's own number


def scaled(small: int, full: int) -> int:
    """A count or a size: small in the gate, full with FULL=1."""
    return full if FULL else small


def examples(full: int) -> int:
    """How many examples a property is tried with: a quarter in the gate, but never under twenty."""
    return full if FULL else min(full, max(20, full // 4))


def load_profile() -> None:
    """The examples of properties that name no number, and no time limit beside busy workers."""
    settings.register_profile("gate", max_examples=examples(_EXAMPLES), deadline=None)
    settings.register_profile("full", max_examples=_EXAMPLES)
    settings.load_profile("full" if FULL else "gate")
