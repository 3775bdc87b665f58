"""Encodings: valid UTF-8 is never read as anything else, and guesses are right or doubted."""

# ruff: noqa: RUF001  (letters and signs of other languages are the matter here)
from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code
from imports.scan.dialect import Dialect, DialectHints, detect
from imports.scan.encoding import EIGHT_BIT, unlikely
from imports.scan.scanner import merged, scan
from tests.sizes import examples

HEADER = "Id,First,Last\n"
NAMES = [
    "José", "Núñez", "Ibáñez", "Zoë", "Brontë", "Müller", "Jürgen", "Åse", "Søren", "François",
    "Hélène", "Ángel", "Íñigo", "Óscar", "Çelik", "Béatrice", "Noël", "Gößmann", "Señora",
]  # fmt: skip
CAPITALS = ["MUÑOZ", "JOSÉ", "PEÑA", "MÜLLER", "GARCÍA", "ÁNGEL", "LÓPEZ"]


def detected(data: bytes, **hints: object) -> Dialect:
    return detect(io.BytesIO(data), len(data), DialectHints(**hints))


def read(data: bytes, chunk_bytes: int = 1 << 20, **hints: object) -> tuple[list[str], list]:
    dialect = detected(data, **hints)
    chunk = merged(list(scan(io.BytesIO(data), dialect, 3, chunk_bytes=chunk_bytes)))
    cut = [(record.line, record.code, record.cell) for record in chunk.malformed]
    return chunk.data.decode().splitlines(), cut


def rows(names: list[str]) -> list[str]:
    return [f"k{n},{name},x" for n, name in enumerate(names)]


def of(lines: list[str]) -> bytes:
    return (HEADER + "".join(line + "\n" for line in lines)).encode()


def in_encoding(lines: list[str], encoding: str) -> bytes:
    return (HEADER + "".join(line + "\n" for line in lines)).encode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "cp850"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_in_an_eight_bit_encoding_are_read_as_they_are(encoding: str, end: str) -> None:
    data = in_encoding(rows(NAMES), encoding).replace(b"\n", end.encode())
    assert detected(data).encoding == encoding
    assert not detected(data).doubtful
    assert read(data) == (rows(NAMES), [])


@pytest.mark.parametrize("name", NAMES + CAPITALS)
def test_one_name_is_enough_for_windows_1252(name: str) -> None:
    assert read(in_encoding(rows([name]), "cp1252")) == (rows([name]), [])


@pytest.mark.parametrize("encoding", ["mac-roman", "cp850"])
@pytest.mark.parametrize("name", ["Ibáñez", "José", "Núñez", "Hélène", "Béla"])
def test_one_usual_name_is_enough_for_old_encodings(encoding: str, name: str) -> None:
    assert read(in_encoding(rows([name]), encoding)) == (rows([name]), [])


@pytest.mark.parametrize("text", ["Tomáš Dvořák"[:5], "Aleš", "Šimek", "O’Brien", "D’Août", "“Bo”",
                                  "5 € – 6 £", "Straße", "Œuvre"])  # fmt: skip
def test_what_windows_1252_has_is_not_taken_for_an_older_encoding(text: str) -> None:
    assert read(in_encoding(rows([text]), "cp1252")) == (rows([text]), [])


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=20),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=20),
    st.sampled_from(["cp1252", "mac-roman", "cp850"]),
    st.randoms(use_true_random=False),
    st.sampled_from([None, *EIGHT_BIT, "utf-8", "utf-16-le"]),
    st.integers(1, 100),
)
@settings(max_examples=examples(300), deadline=None)
def test_valid_utf8_is_never_read_as_anything_else(
    names: list[str], others: list[str], encoding: str, shuffle, hint: str | None, chunk_bytes: int
) -> None:
    good = [f"g{n},{name},x" for n, name in enumerate(names)]
    bad = [f"b{n},{name},x" for n, name in enumerate(others)]
    lines = [line.encode() for line in good] + [line.encode(encoding) for line in bad]
    shuffle.shuffle(lines)
    data = HEADER.encode() + b"".join(line + b"\n" for line in lines)
    records, cut = read(data, chunk_bytes, encoding=hint)
    assert set(good) <= set(records)
    assert len(records) + len(cut) == len(lines)


@pytest.mark.parametrize("text", ["5μg", "xσy", "aɒb", "Ñ", "√n", "\x86", "ֹa"])
def test_a_file_of_valid_utf8_is_utf8_however_odd_its_letters_are(text: str) -> None:
    assert read(of(rows([text]))) == (rows([text]), [])


def test_one_row_in_another_encoding_is_rejected_with_its_byte_and_place() -> None:
    data = HEADER.encode() + "1,José,x\n2,Zoë,y\n".encode() + "3,A,Ñandú Åse Öz\n".encode("cp1252")
    records, cut = read(data)
    assert records == ["1,José,x", "2,Zoë,y"]
    assert cut == [(4, Code.BAD_ENCODING, 3)]
    dialect = detected(data)
    chunk = merged(list(scan(io.BytesIO(data), dialect, 3)))
    assert "byte D1 in cell 3, line 4" in chunk.malformed[0].message


def test_a_byte_without_meaning_is_named_as_it_is_in_the_file() -> None:
    data = HEADER.encode() + b"1,a,Mu\xf1oz\n2,b,Pe\xf1a\x81\n"
    chunk = merged(list(scan(io.BytesIO(data), Dialect("cp1252", 0, ","), 3)))
    assert "byte 81 in cell 3, line 3" in chunk.malformed[0].message


@pytest.mark.parametrize("hint", ["utf-16-le", "utf-16-be"])
def test_a_template_for_utf16_reads_a_file_that_is_none(hint: str) -> None:
    assert read(of(rows(NAMES)), encoding=hint) == (rows(NAMES), [])


@pytest.mark.parametrize("hint", ["utf-8", "cp1252", "mac-roman"])
def test_utf16_is_read_whatever_the_template_expects(hint: str) -> None:
    data = (HEADER + "".join(line + "\n" for line in rows(NAMES))).encode("utf-16-le")
    assert read(data, encoding=hint) == (rows(NAMES), [])


@pytest.mark.parametrize("text", [
    "Ib‡–ez", "Mu–oz", "Garc’a", "JosÃ©", "MÃ¼ller", "Jos\u201ae", "O„Brien", "D´Arc", "FranÃ§ois",
    "£ukasz", "Wa³êsa", "D¹b", "Micha³", "Ib√°√±ez", "Jos├®", "Mu\ufffdoz", "Itâ€™s", "Pe¤a",
    "Jo\x8ee",
])  # fmt: skip
def test_letters_that_names_do_not_have_are_noticed(text: str) -> None:
    data = f"1,{text},x\n2,José,O’Brien\n".encode()
    places = list(unlikely(data))
    assert places and all(offset < data.index(b"\n") for offset, _ in places)


@pytest.mark.parametrize("text", [*NAMES, *CAPITALS, "O’Brien", "Łukasz", "Dvořák", "Nguyễn", "Ñ",
    "Лев", "漢字", "Ana–Maria", "“Bo”", "Women’s", "Hawai’i",
    "5 €", "£5", "m²", "km³", "50 °C", "1ª", "Col·legi", "«Oui»", "JOÃO", "Âge",
    "São", "Ε√α"[:1], "naïve…", "† 1990"])  # fmt: skip
def test_letters_of_names_are_not_noticed(text: str) -> None:
    assert not list(unlikely(f"1,{text},x\n".encode()))


@pytest.mark.parametrize(("encoding", "read_as"), [
    ("cp1252", ("Zoë", "Ibáñez")), ("mac-roman", ("Zoë", "Ibáñez")), ("cp850", ("Zoë", "Ibáñez")),
    ("cp1250", ("Zoë", "Èerný")),
])  # fmt: skip
def test_a_guess_shows_a_word_as_it_was_read(encoding: str, read_as: tuple[str, ...]) -> None:
    """No encoding of one byte a letter proves itself: whoever knows the names must see one."""
    name = "Černý" if encoding == "cp1250" else "Ibáñez"
    data = in_encoding(rows(["Ann", "Zoë", name, name, "O'Hara"]), encoding)
    assert detected(data).guessed == read_as
    assert detected(data, encoding="cp1252" if encoding == "cp1250" else encoding).guessed == ()


@pytest.mark.parametrize("data", [of(rows(NAMES)), of(rows(["Ann"])), b"\xef\xbb\xbf" + of(["a"])])
def test_utf8_is_no_guess(data: bytes) -> None:
    assert detected(data).guessed == ()


def test_a_guess_whose_letters_are_unlikely_is_doubtful() -> None:
    cyrillic = ["Иванов", "Петров", "Сидорова"]
    assert detected(in_encoding(rows(cyrillic), "cp1251")).doubtful
    assert not detected(of(rows(cyrillic))).doubtful
    assert detected(in_encoding(rows(NAMES), "mac-roman"), encoding="cp1252").doubtful
