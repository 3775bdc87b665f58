"""File names that have a meaning of their own, whatever the protocol. Pure."""

from __future__ import annotations

import re
import unicodedata

from portal.dropserver.rights import ERRORS_ENDING

RESULT_ENDING = ".result.txt"
DATA_ENDING = ".result.json"

_TEMPORARY = re.compile(
    r".\.(?:filepart|part|partial|tmp|temp|upload|crdownload)$", re.I | re.DOTALL
)
_NUMBER = re.compile(r"(?<=.)\.\d{1,4}$")
_LEFTOVER = re.compile(r"thumbs\.db|desktop\.ini|~\$.*|.*~|.*\.(?:bak|swp|lnk)", re.I | re.DOTALL)


def in_form_c(name: str) -> str:
    """The name in normal form C: Macs send the letters and their accents apart."""
    return unicodedata.normalize("NFC", name)


def result_name(name: str) -> str:
    """Return the name of the text that tells the sender the outcome of the file of that name."""
    return name + RESULT_ENDING


def data_name(name: str) -> str:
    """Return the name of the same outcome as data, for scripts (docs/result.schema.json)."""
    return name + DATA_ENDING


def errors_name(name: str) -> str:
    """Return the name of the error attachment of the file of that name."""
    return name + ERRORS_ENDING


def is_result(name: str) -> bool:
    """Return whether the portal gives such a name to what it writes for the sender."""
    return name.endswith((RESULT_ENDING, DATA_ENDING, ERRORS_ENDING))


def corrected_name(name: str) -> str:
    """Return the name of the file whose rejected rows an attachment brings; empty for others.

    A correction whose rows were rejected again has an attachment too, and a second attachment of
    one name has a number.
    """
    base = name
    while base.endswith(ERRORS_ENDING):
        base = _NUMBER.sub("", base.removesuffix(ERRORS_ENDING))
    return base if base != name else ""


def is_hidden(name: str) -> bool:
    """Return whether the name begins with a dot: hidden, or part of an unfinished upload."""
    return name.startswith(".")


def is_temporary(name: str) -> bool:
    """Return whether clients give such a name to a file that they upload (WinSCP: `.filepart`)."""
    return _TEMPORARY.search(name) is not None


def is_leftover(name: str) -> bool:
    """Return whether an operating system or an editor left the file behind: it is never data."""
    return _LEFTOVER.fullmatch(name) is not None
