"""What can go wrong with a partner's server, in words for the page."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST = 300


class TransportFault(Exception):
    """A step failed. The message is a sentence or two: what happened and what to do."""


class Unreachable(TransportFault):
    """It may work at another time: no answer, too slow, a broken connection, a full disk."""


class PermanentRefusal(TransportFault):
    """It will not work again as it is, for example without a right: only a person can change it."""


def quoted(words: object) -> str:
    """Foreign words on one harmless line between quotation marks; "" if there are none."""
    line = " ".join(_UNPRINTABLE.sub(" ", str(words)).split())
    if len(line) > _LONGEST:
        line = line[: _LONGEST - 1] + "…"
    return f"“{line}”" if line else ""
