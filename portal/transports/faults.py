"""What can go wrong on the way to somebody's server, in words for the page."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST = 300


class TransportFault(Exception):
    """A step that did not work. The message is a sentence or two: what happened, what to do."""


class Unreachable(TransportFault):
    """It may work another time: no answer, too slow, a connection that was cut, a full disk."""


class Refused(TransportFault):
    """The other side says no and will say so again: only a person can change that."""


def quoted(words: object) -> str:
    """Foreign words on one harmless line between quotation marks; "" where there are none."""
    line = " ".join(_UNPRINTABLE.sub(" ", str(words)).split())
    if len(line) > _LONGEST:
        line = line[: _LONGEST - 1] + "…"
    return f"“{line}”" if line else ""
