"""Where something stands in a request's JSON, as a JSON pointer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from portal.faults import Step

_LONGEST_NAME = 200  # characters
_SAFE = "~!$&'()*+,;=:@"  # what a URI fragment may hold beside letters, digits and -._


def pointer(document: Any, path: Sequence[Step]) -> str:
    """A JSON pointer (RFC 6901) in the form of a URI fragment.

    It always leads to something in the document: where a member is missing, to the object that
    lacks it; so it does for a member whose name is very long.
    """
    steps = []
    for step in path:
        if not _has(document, step):
            break
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
        document = document[step]
    return "#" + "".join(f"/{quote(step, _SAFE, errors='surrogatepass')}" for step in steps)


def _has(value: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and 0 <= step < len(value)
    return isinstance(value, dict) and step in value and len(step) <= _LONGEST_NAME
