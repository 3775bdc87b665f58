import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dropserver.paths import PathRefused, canonical, canonical_new, shown
from tests.portal.dropserver import hostile


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"", ()),
        (b"/", ()),
        (b".", ()),
        ("/Accounts/AccountImports/a.csv", ("Accounts", "AccountImports", "a.csv")),
        ("Accounts//AccountImports/./a.csv", ("Accounts", "AccountImports", "a.csv")),
        ("/Accounts/AccountImports/../Sections", ("Accounts", "Sections")),
        ("/%2e%2e/x", ("%2e%2e", "x")),
        ("/año 2026.csv", ("año 2026.csv",)),
        ("...", ("...",)),
    ],
)
def test_it_reads_a_path_from_the_root_down(raw, names):
    assert canonical(raw) == names


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("..", "outside your folder"),
        ("/a/../..", "outside your folder"),
        ("a\0b", "NUL"),
        ("a\\b", "backslash"),
        (b"caf\xe9.csv", "UTF-8"),
        ("x" * 256, "256 bytes"),
        ("é" * 128, "256 bytes"),
        ("d/" * 2048 + "x", "4097 bytes"),
        ("/.parts/x", "reserved for the portal"),
        ("/Courses/.PARTS", "reserved for the portal"),
        ("\udcff", "UTF-8"),
    ],
)
def test_it_refuses_with_the_reason(raw, words):
    with pytest.raises(PathRefused, match=words):
        canonical(raw)


@pytest.mark.parametrize(
    "character", ["\n", "\x1b", "\u202e", "\u2066", "\u200b", "\u2028", "\x7f"]
)
def test_it_refuses_invisible_characters_in_new_names_and_names_them(character):
    assert canonical(f"a{character}b") == (f"a{character}b",)
    with pytest.raises(PathRefused, match=f"U\\+{ord(character):04X}"):
        canonical_new(f"a{character}b")


def test_it_refuses_the_root_as_a_new_name():
    with pytest.raises(PathRefused, match="needs a name"):
        canonical_new("/a/..")


def test_it_refuses_a_new_path_too_long_to_be_recorded():
    with pytest.raises(PathRefused, match="1000 characters"):
        canonical_new("/".join(["d" * 200] * 6))


def test_there_are_enough_hostile_paths_to_mean_something():
    assert len(set(hostile.raw())) >= 500


def test_no_hostile_path_yields_a_name_that_leaves_its_folder():
    kept = 0
    for path in hostile.raw():
        try:
            names = canonical(path)
        except PathRefused:
            continue
        kept += 1
        assert not {"", ".", "..", ".parts"} & {name.casefold() for name in names}, path
        assert not [n for n in names if "/" in n or "\0" in n or "\\" in n], path
    assert kept > 50


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_what_it_takes_is_canonical_already(raw):
    try:
        names = canonical(raw)
    except PathRefused:
        return
    assert canonical(shown(names)) == names
