"""Characters that nobody sees, and the forms that one text can be written in. Pure.

Invisible ones are Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt): zero-width
space, byte order mark, soft hyphen, direction marks, variation selectors. Texts are kept in normal
form C. Identifiers are compared as RFC 8265 compares user names: full-width letters and digits as
ordinary ones, in form C, in lower case; here also without invisible characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import polars as pl

_Change: TypeAlias = Callable[[pl.Expr], pl.Expr]

_INVISIBLE = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
# White space other than the plain blank; the last is a pattern of no dots, which shows nothing.
_BLANKS = (
    (0x09, 0x0D),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0x2800, 0x2800),
)


def _class(ranges: tuple[tuple[int, int], ...]) -> str:
    """The inside of a character class, for Python's expressions and for those of polars."""
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)


_INVISIBLE_CLASS = _class(_INVISIBLE)
_EDGE = rf"[\s{_INVISIBLE_CLASS}{_class(_BLANKS)}]+"
_HIDDEN = re.compile(rf"[\x00-\x1f\x7f{_INVISIBLE_CLASS}{_class(_BLANKS[1:])}]")
_DROPPED = re.compile(f"[{_INVISIBLE_CLASS}]")
_BLANK = re.compile(f"[{_class(_BLANKS)}]")
# Letters and digits of double width, and of half width: what each is an ordinary character for.
_WIDTHS = MappingProxyType(
    {
        chr(code): unicodedata.normalize("NFKC", chr(code))
        for code in range(0xFF01, 0xFFEF)
        if unicodedata.decomposition(chr(code)).startswith(("<wide>", "<narrow>"))
        and chr(code) not in "\uffa0"
    }
)
_WIDTH_TABLE = str.maketrans(dict(_WIDTHS))
# Beyond these no text can change: ASCII, and the letters up to U+024F, which are in form C.
_PLAIN = r"[^\x00-\x7E\u{A1}-\u{AC}\u{AE}-\u{24F}]"
# Controls, private and unassigned characters, and what stands for an unreadable one.
IMPOSSIBLE = r"[\p{Cc}\p{Co}\p{Cn}\x{FFFD}]"
_IMPOSSIBLE = frozenset({"Cc", "Co", "Cn", "Cs"})


def visible(text: str) -> str:
    """The text on one line, with each invisible character and odd blank as U+200B and the like."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda hidden: f"U+{ord(hidden.group()):04X}", text)


def comparable(name: str) -> str:
    """An identifier or a column's name as it is compared, capitals apart."""
    if name.isascii():
        return name.strip()
    text = _BLANK.sub(" ", _DROPPED.sub("", name)).translate(_WIDTH_TABLE)
    return unicodedata.normalize("NFC", text).strip()


def impossible(identifier: str) -> str:
    """What no identifier holds, as U+FFFD (REPLACEMENT CHARACTER); each character once."""
    bad = [
        character
        for character in dict.fromkeys(identifier)
        if unicodedata.category(character) in _IMPOSSIBLE or character == "\ufffd"
    ]
    return ", ".join(f"U+{ord(character):04X} ({_name(character)})" for character in bad)


def _name(character: str) -> str:
    kinds = {"Cc": "a control character", "Co": "a private character"}
    kind = kinds.get(unicodedata.category(character), "no character")
    return unicodedata.name(character, kind)


def is_plain(texts: pl.Series) -> bool:
    """Whether all of the texts are ASCII; it costs a tenth of looking at the characters."""
    return bool(texts.str.len_bytes().sum() == texts.str.len_chars().sum())


def tidied(texts: pl.Series, *, identifiers: bool = False) -> pl.Series:
    """The texts in form C without white space and invisible characters around.

    identifiers: invisible characters inside are left out too, and each odd blank is a plain one:
    nobody can mean them there. Inside other texts they stay, where they may have a meaning.
    """
    return _changed(texts, _identifier if identifiers else _text)


def compared(texts: pl.Series, *, fold: bool) -> pl.Series:
    """Keys as they are compared. fold: in lower case."""
    lower = texts.str.to_lowercase() if fold else texts
    return lower if is_plain(lower) else _changed(lower, partial(_key, fold=fold))


def _changed(texts: pl.Series, change: _Change) -> pl.Series:
    """Change only the texts that can change, of which a file has few."""
    at = texts.str.contains(_PLAIN).fill_null(False).arg_true()
    if not at.len():
        return texts
    column = pl.col("text")
    changed = pl.DataFrame({"text": texts.gather(at)}).select(change(column)).to_series()
    return texts.clone().scatter(at, changed)


def _text(text: pl.Expr) -> pl.Expr:
    bare = text.str.replace(f"^{_EDGE}", "").str.replace(f"{_EDGE}$", "")
    return bare.str.normalize("NFC")


def _identifier(text: pl.Expr) -> pl.Expr:
    seen = text.str.replace_all(f"[{_INVISIBLE_CLASS}]", "")
    blank = seen.str.replace_all(f"[{_class(_BLANKS)}]", " ").str.strip_chars()
    return blank.str.normalize("NFC")


def _key(text: pl.Expr, *, fold: bool) -> pl.Expr:
    seen = text.str.replace_all(f"[{_INVISIBLE_CLASS}]", "")
    wide = seen.str.replace_many(list(_WIDTHS), list(_WIDTHS.values()))
    blank = wide.str.replace_all(f"[{_class(_BLANKS)}]", " ")
    tight = blank.str.replace_all(" *\x1f *", "\x1f").str.strip_chars(" ").str.normalize("NFC")
    # Form C may make a letter of a sign, and lower case may take a letter apart.
    return tight.str.to_lowercase().str.normalize("NFC") if fold else tight
