"""What nobody sees makes no second person: identifiers are compared as people read them."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imports.check.characters import comparable, impossible, tidied, visible
from imports.check.keys import SEPARATOR, ReferenceSet, key_hash, key_text

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202e\u2066\u2069\u061c\ufe0f"
BLANKS = "\u00a0\u2002\u2009\u202f\u205f\u3000\u1680\u2800\u2028"
TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("aAé\u0301ßİKΩﬁＡ１ﾞｶ" + UNSEEN + BLANKS),  # noqa: RUF001
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
)


def key_of(text: str, *, fold: bool = True) -> str:
    frame = pl.DataFrame({"part": [text]})
    return str(frame.select(key_text([pl.col("part")], fold)).to_series()[0])


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("place", ["{0}k2b", "k2b{0}", "k{0}2b", "{0}{0}k2{0}b{0}"])
def test_an_invisible_character_makes_no_other_key(unseen: str, place: str) -> None:
    assert key_of(place.format(unseen)) == "k2b"


def test_a_key_too_long_for_an_index_is_the_same_in_either_case() -> None:
    assert key_of("A" * 3_000) == key_of("a" * 3_000)
    assert key_of("A" * 3_000) != key_of("A" * 3_000 + "b")
    assert key_of("A" * 3_000, fold=False) != key_of("a" * 3_000, fold=False)


@pytest.mark.parametrize("blank", BLANKS)
def test_an_odd_blank_is_a_blank(blank: str) -> None:
    assert key_of(f"{blank}Ana{blank}Silva{blank}") == "ana silva"


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("name", ["Renée.K", "Đặng", "ÅNGSTRÖM", "각하", "ñandú"])
def test_every_normal_form_of_a_text_is_one_key(name: str, form: str) -> None:
    assert key_of(unicodedata.normalize(form, name)) == key_of(name)


def test_letters_and_digits_of_double_width_are_the_ordinary_ones() -> None:
    assert key_of("ＡＢ－１２") == "ab-12"  # noqa: RUF001


@given(TEXTS)
@example("İ")
@example("K")
@settings(max_examples=300, deadline=None)
def test_a_stored_key_stays_what_it_is(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_headers_are_compared_as_keys_are(text: str) -> None:
    if SEPARATOR in text or any(c in text for c in "\x1c\x1d\x1e\t\n\x0b\x0c\r"):
        return
    assert comparable(text) == key_of(text, fold=False).strip()


@given(st.text(alphabet="abcXYZ019 ._-@/", max_size=12))
def test_a_plain_key_is_only_put_in_lower_case(text: str) -> None:
    assert key_of(text) == text.lower()
    assert key_of(text, fold=False) == text


def test_a_reference_finds_a_key_that_was_stored_in_another_form() -> None:
    stored = ReferenceSet.of([unicodedata.normalize("NFD", "renée.k"), "k2b\u200b"], fold=True)
    frame = pl.DataFrame({"at": ["RENÉE.K", "\ufeffK2B", "other"]})
    hashes = frame.select(key_hash([pl.col("at")], True)).to_series()
    assert stored.missing(hashes).tolist() == [False, False, True]


def test_texts_are_trimmed_of_what_is_not_seen_and_keep_what_is_inside() -> None:
    texts = pl.Series(["\ufeffRene\u0301e\u200b", "क्\u200cष", "plain", "\u200b", None])
    assert tidied(texts).to_list() == ["Renée", "क्\u200cष", "plain", "", None]
    assert tidied(texts, identifiers=True).to_list()[1] == "क्ष"


def test_a_message_shows_what_is_not_seen() -> None:
    assert visible("k2b\u200b\u00a0é") == "k2bU+200BU+00A0é"
    assert visible("plain text") == "plain text"
    assert visible("k\r\ncomplete: p.csv\0") == "kU+000DU+000Acomplete: p.csvU+0000"


def test_what_no_identifier_holds_is_named() -> None:
    assert impossible("a\ufffdb\x1f\ue000\ufffd") == (
        "U+FFFD (REPLACEMENT CHARACTER), U+001F (a control character), U+E000 (a private character)"
    )
