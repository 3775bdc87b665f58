"""JSON that cannot be read is refused in words for people who do not write Python."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.events.payloads import NotJson, parse

PYTHON = re.compile(r"Expecting|char \d|column|delimiter|utf-8|\bsys\b|int_max|conversion")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "at character 1, a value is expected"),
        ('{"a": 1', "at character 8, a comma or the end of the object or list is expected"),
        ("{'a': 1}", "at character 2, the name of a member in double quotes is expected"),
        ('{"a" 1}', "at character 6, a colon is expected"),
        ('{"a": 1} {}', "at character 10, something follows the end of the JSON"),
        ('{"a": "x}', "at character 7, a text begins that has no closing quote"),
        ('{"a": "\t"}', "at character 8, a text contains a control character that is not escaped"),
        (r'{"a": "\q"}', "at character 8, a backslash begins an escape that JSON does not have"),
        ('{\n"a": x}', "at line 2, character 6, a value is expected"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[" + "1" * 5_000 + "]", "a number has too many digits"),
        ("[" * 100_000, "at character 24, objects and lists are nested too deeply"),
    ],
)
def test_it_says_where_and_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(NotJson) as refused:
        parse(text)
    assert str(refused.value) == words


@given(st.text(st.sampled_from('{}[]:,"\\ \n\t1ae.-\ufeffNtu'), max_size=12))
def test_no_words_of_pythons_are_shown(text: str) -> None:
    try:
        parse(text)
    except NotJson as refused:
        assert not PYTHON.search(str(refused)), str(refused)
