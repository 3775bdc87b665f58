"""The encoding of a text by its bytes: UTF-8 wherever it is valid, else one of the 8-bit ones.


An 8-bit encoding is guessed by the letters that its bytes would be: within words there are letters
of names, in lower case after lower case, and hardly any signs.
"""

# ruff: noqa: RUF001  (letters and signs of other languages are the matter here)
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "cp1252": "Windows-1252",
    "mac-roman": "Mac OS Roman",
    "cp850": "DOS 850",
    "cp437": "DOS 437",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
EIGHT_BIT = ("cp1252", "mac-roman", "cp850", "cp437")  # the first is preferred

_MARGIN = 0.4  # by which another one must be likelier than the first
_UNLIKELY = 0.3
_MOST = 50_000  # bytes of a sample that are compared
_COMMON = set("áéíóúñüöäåæøçèêëàâîïôûùßãõìòýð")
_FAIR = set("šžœŠŽŒ")
_APOSTROPHES = set("’‘")
_AFTER_WORDS = set("’‘“”…™®©–—»°ªº?!")
_BEFORE_WORDS = set("“‘„«¡¿–—€£¥#")
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# In UTF-8 that is so by chance: control characters, phonetic ones, other scripts within a word.
_IMPLAUSIBLE = re.compile(
    "[\x80-\x9f\u0250-\u02ff]|[\u0370-\u07ff](?=[A-Za-z])|(?<=[A-Za-z])[\u0370-\u07ff]"
)
_SHOWN_WORDS = 3
_WORD_BEYOND_ASCII = re.compile(r"\w*(?![\x00-\x7f])\S[^\s,;|\"]{0,40}")
_LINE_ENDS = re.compile(rb"[\r\n]+")
_LOWER, _UPPER, _OTHER = 1, 2, 3
_LETTER = np.zeros(256, np.int8)
_LETTER[ord("a") : ord("z") + 1] = _LOWER
_LETTER[ord("A") : ord("Z") + 1] = _UPPER
_LETTER[128:] = _OTHER
_UNLIKELY_TEXT = re.compile(
    "[ÃÂ][\u00a0-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2010-\u203a"
    "\u20ac\u2122]|£(?=[a-zà-ž])|â€|ï»¿|\ufffd|[\x80-\x9f]|√[^\\s\\d(]|[├┬][^\\s─┬┼├]"
    "|(?<=[A-Za-zÀ-ž])(?:[†‡„‚…‰‹›•™¢£¤¥¦§¨©¬®¯±´¶¸º»«¿¡µ¼½¾\u2500-\u259f≠∞≤≥∂∑∏π∫Ω√≈∆ƒˆ˜]"
    "(?=[A-Za-zÀ-ž\u2010-\u203a])|[“”ª](?=[a-zà-ž])|–(?=[a-zà-ž]{2})"
    "|[¹²³](?=[A-Za-zÀ-ž])|(?<=[a-zà-ž]{3})[¹³](?!\\w)"
    "|(?<=[a-zà-ž])’(?!(?:s|t|d|m|i|ll|re|ve|hui)\\b)(?=[a-zà-ž]))"
)
_TRACES = (b"\xc2", b"\xe2", b"\xc3\x82", b"\xc3\x83", b"\xef\xbb", b"\xef\xbf", b"\xcb", b"\xc6",
           b"\xcf", b"\xce")  # fmt: skip


def guess(parts: Iterable[bytes]) -> str:
    """The encoding of a sample's lines. Each part is of whole lines.

    Lines that are valid UTF-8 are never taken for anything else; where most others are not, they
    are read on their own (`utf8_of`), and a few others are left to be rejected.
    """
    lines = list(_beyond_ascii(parts))
    others = [line for line in lines if not _decodes(line)]
    if len(others) <= sum(map(is_utf8, lines)):
        return "utf-8"
    scores = {encoding: _likelihood(others, encoding) for encoding in EIGHT_BIT}
    best = max(EIGHT_BIT, key=scores.__getitem__)
    first = EIGHT_BIT[0]
    return best if scores[best] > scores[first] + _MARGIN else _checked(first, others)


def _checked(encoding: str, lines: list[bytes]) -> str:
    """The encoding, or UTF-8 (whose faults are named) for bytes that are hardly any text."""
    data = b"".join(lines)
    undefined = sum(data.count(byte) for byte in b"\x81\x8d\x8f\x90\x9d")
    beyond = sum(byte >= 0x80 for byte in data[:_MOST])
    return encoding if undefined * 10 <= beyond else "utf-8"


def is_doubtful(parts: Iterable[bytes], encoding: str) -> bool:
    """Whether the words of a sample in an 8-bit encoding would have letters that names have not."""
    lines = [line for line in _beyond_ascii(parts) if not is_utf8(line)]
    return bool(lines) and _likelihood(lines, encoding) < _UNLIKELY


def words_read(parts: Iterable[bytes], encoding: str) -> tuple[str, ...]:
    """The first words of a sample that depend on the encoding, as it reads them; each once."""
    lines = (line for line in _beyond_ascii(parts) if not is_utf8(line))
    texts = (line.decode(encoding, "replace") for line in lines)
    words = (word for text in texts for word in _WORD_BEYOND_ASCII.findall(text))
    return tuple(islice(_each_once(words), _SHOWN_WORDS))


def _each_once(words: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for word in words:
        if word not in seen:
            seen.add(word)
            yield word


def _beyond_ascii(parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        if not part.isascii():
            yield from (line for line in _LINE_ENDS.split(part) if not line.isascii())


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_utf8(line: bytes) -> bool:
    """Whether a line is valid UTF-8, and no text of an 8-bit encoding that is so by chance."""
    return _decodes(line) and not _IMPLAUSIBLE.search(line.decode("utf-8"))


def utf8_of(block: bytes, encoding: str) -> bytes:
    """Whole lines of an 8-bit encoding as UTF-8. Those that are UTF-8 already stay as they are.

    Bytes without a meaning become ill-formed UTF-8.
    """
    if block.isascii():
        return block
    if not _SEQUENCE.search(block):
        return _decoded(block, encoding)
    lines = block.splitlines(keepends=True)  # of bytes: at line feeds and carriage returns only
    return b"".join(line if is_utf8(line) else _decoded(line, encoding) for line in lines)


def _decoded(data: bytes, encoding: str) -> bytes:
    return data.decode(encoding, "surrogateescape").encode("utf-8", "surrogatepass")


def _likelihood(lines: Iterable[bytes], encoding: str) -> float:
    """The mean score of the letters beyond ASCII that are in words; 1 where there are none."""
    counts = _contexts(lines)
    total = weight = 0.0
    for (byte, before, after), count in counts.items():
        letter = bytes([byte]).decode(encoding, "replace")
        total += _score(letter, before, after) * count
        weight += count
    return total / weight if weight else 1.0


def _contexts(lines: Iterable[bytes]) -> Counter[tuple[int, int, int]]:
    """Each byte beyond ASCII in a word, with what is before and after it."""
    marks = np.frombuffer(b"\n" + b"\n".join(lines)[:_MOST] + b"\n", np.uint8)
    at = np.flatnonzero(marks >= 0x80)
    before, after = _LETTER[marks[at - 1]], _LETTER[marks[at + 1]]
    within = (before > 0) | (after > 0)
    triples = zip(
        marks[at][within].tolist(), before[within].tolist(), after[within].tolist(), strict=True
    )
    return Counter(triples)


def _score(letter: str, before: int, after: int) -> float:
    if letter == "\N{REPLACEMENT CHARACTER}":
        return -2.0
    if letter.lower() in _COMMON or letter in _FAIR:
        return _letter_score(letter, before, after)
    if before and after:
        return 0.6 if letter in _APOSTROPHES else -1.0
    return 0.5 if letter in (_AFTER_WORDS if before else _BEFORE_WORDS) else -1.0


def _letter_score(letter: str, before: int, after: int) -> float:
    if before in (0, _OTHER) and after in (0, _OTHER):
        return 0.0  # words of such letters only are in another script
    if letter.isupper():
        is_odd = before == _LOWER or (before == _UPPER and after == _LOWER)
    else:
        is_odd = after == _UPPER
    return -0.5 if is_odd else 1.0 if letter.lower() in _COMMON else 0.8


_ASCII = bytes(range(0x80))


def unlikely(data: bytes) -> Iterator[tuple[int, str]]:
    """Offset and text of what names have not: "Ã©", "‡" within a word. data: valid UTF-8."""
    if data.isascii():
        return
    # What stands together in the data stands together among the few bytes beyond ASCII, too.
    few = data.translate(None, _ASCII)
    if not any(trace in few and trace in data for trace in _TRACES):
        return
    text = data.decode("utf-8", "replace")
    at = offset = 0
    for match in _UNLIKELY_TEXT.finditer(text):
        offset += len(text[at : match.start()].encode())
        at = match.start()
        yield offset, text[max(0, at - 10) : match.end() + 10].split("\n")[0]
