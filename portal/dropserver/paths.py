"""Foreign paths made safe: the only place that canonicalises, for SFTP and FTPS.

Pure: it never reads a disk. A path is a tuple of names below an account's root, so no other code
joins, splits or compares path text (reliability.md, rule 15 and A27).
"""

from __future__ import annotations

import unicodedata

Path = tuple[str, ...]

ROOT: Path = ()
MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255  # of one name in a directory, on every file system in use
MAX_NEW_CHARACTERS = 1000  # the most that the portal can store of a path

PARTS_DIRECTORY = ".parts"
_HIDDEN = frozenset({PARTS_DIRECTORY})
# Control and format characters: the second holds the bidi overrides and the zero-width ones, with
# which `gpj.exe` can be shown as `exe.jpg`. Line and paragraph separators break every log.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class PathRefused(Exception):
    """A foreign path is refused. reason: a sentence for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canonical(raw: bytes | str) -> Path:
    """The names of a foreign path, from the account's root down; the root itself is ().

    raw: as the client sent it, at most 4096 bytes; bytes are UTF-8. A leading slash and none mean
    the same, "." and empty names are dropped, ".." removes one name but never the root. Nothing
    is decoded: `%2e` stays three characters. Raises PathRefused.
    """
    names: list[str] = []
    for name in _text(raw).split("/"):
        if name in ("", "."):
            continue
        if name != "..":
            names.append(_checked(name))
        elif names:
            names.pop()
        else:
            raise PathRefused("The path leads outside your folder.")
    return tuple(names)


def canonical_new(raw: bytes | str) -> Path:
    """As `canonical`, for a name that is about to be created. Raises PathRefused."""
    path = canonical(raw)
    if not path:
        raise PathRefused("The path is your folder itself; a file needs a name.")
    if len(shown(path)) > MAX_NEW_CHARACTERS:
        raise PathRefused(f"The path has more than {MAX_NEW_CHARACTERS} characters.")
    for character in "".join(path):
        if unicodedata.category(character) in _UNPRINTABLE:
            raise PathRefused(
                f"The name contains the invisible character U+{ord(character):04X}. Rename "
                "the file and send it again."
            )
    return path


def shown(path: Path) -> str:
    """The path as the sender sees it: absolute, separated by slashes."""
    return "/" + "/".join(path)


def _text(raw: bytes | str) -> str:
    try:
        data = raw if isinstance(raw, bytes) else raw.encode("utf-8")
        text = data.decode("utf-8")
    except UnicodeError:
        raise PathRefused("The path is not UTF-8. Set your client to UTF-8 names.") from None
    if len(data) > MAX_PATH_BYTES:
        raise PathRefused(f"The path has {len(data)} bytes; the maximum is {MAX_PATH_BYTES}.")
    if "\0" in text:
        raise PathRefused("The path contains a NUL character.")
    if "\\" in text:
        raise PathRefused("The path contains a backslash. Separate folders with a slash (/).")
    return text


def _checked(name: str) -> str:
    size = len(name.encode("utf-8"))
    if size > MAX_NAME_BYTES:
        raise PathRefused(f"A name in the path has {size} bytes; the maximum is {MAX_NAME_BYTES}.")
    if name.casefold() in _HIDDEN:
        raise PathRefused(f"The name {name} is reserved for the portal.")
    return name
