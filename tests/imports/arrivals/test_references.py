"""Each line of a manifest against its folder (seed 001, state 3)."""

from __future__ import annotations

import pytest

from imports.arrivals.listing import Entry, Listing
from imports.arrivals.references import Resolution, compare, resolve
from imports.manifest import Problem, parse

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
FOLDER = Listing(
    [
        Entry("accounts.csv", 12, 1, 1),
        Entry("Terms.csv", 12, 1, 2),
        Entry("re\u0301sume\u0301.csv", 12, 1, 3),
        Entry("sub", 0, 1, 4, is_dir=True),
    ]
)


def judge(line: str, md5: str = MD5) -> Resolution:
    (resolution,) = resolve(parse(f"<files>{line}</files>".encode()), FOLDER, lambda entry: md5)
    return resolution


def test_a_file_with_its_checksum_is_good() -> None:
    resolution = judge(f'<file name="accounts.csv" checksum="{MD5}" checksumhashtype="MD5"/>')
    assert resolution.problem is None
    assert resolution.entry == FOLDER.by_name["accounts.csv"]
    assert "matches the manifest" in resolution.reason


def test_the_digest_is_compared_without_case() -> None:
    line = f'<file name="accounts.csv" checksum="{MD5}" checksumhashtype="md5"/>'
    assert judge(line, MD5.upper()).problem is None


def test_without_a_checksum_nothing_is_hashed() -> None:
    def never(entry: Entry) -> str:
        raise AssertionError(entry)

    manifest = parse(b'<files><file name="accounts.csv"/><file name="gone.csv"/></files>')
    good, gone = resolve(manifest, FOLDER, never)
    assert good.problem is None
    assert gone.problem is Problem.FILE_NOT_FOUND


def test_a_wrong_checksum_shows_both_values() -> None:
    resolution = judge(f'<file name="accounts.csv" checksum="{"0" * 32}" checksumhashtype="md5"/>')
    assert resolution.problem is Problem.CHECKSUM_MISMATCH
    assert resolution.entry is not None
    assert MD5 in resolution.reason
    assert "0" * 32 in resolution.reason


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("terms.csv", "Terms.csv"),
        ("accounts .csv", "accounts.csv"),
        ("R\u00e9sum\u00e9.csv", "re\u0301sume\u0301.csv"),
    ],
)
def test_a_near_miss_is_named(name: str, near: str) -> None:
    resolution = judge(f'<file name="{name}"/>')
    assert resolution.problem is Problem.FILE_NOT_FOUND
    assert resolution.entry is None
    assert near in resolution.reason


def test_accents_that_a_mac_writes_in_another_way_name_the_same_file() -> None:
    here, sent = "re\u0301sume\u0301.csv", "r\u00e9sum\u00e9.csv"
    resolution = judge(f'<file name="{sent}" checksum="{MD5}" checksumhashtype="md5"/>')
    assert resolution.problem is None
    assert resolution.reference.name == here, "the folder's spelling"
    for lines in ((sent, here), (here, sent)):
        document = "".join(f'<file name="{name}"/>' for name in lines)
        resolutions = resolve(parse(f"<files>{document}</files>".encode()), FOLDER, lambda _: MD5)
        assert [r.problem for r in resolutions] == [None, Problem.DUPLICATE]


def test_where_both_spellings_are_there_the_exact_one_is_meant() -> None:
    names = "re\u0301sume\u0301.csv", "r\u00e9sum\u00e9.csv"
    listing = Listing([Entry(name, 1, 1, at) for at, name in enumerate(names)])
    lines = "".join(f'<file name="{name}"/>' for name in names)
    resolutions = resolve(parse(f"<files>{lines}</files>".encode()), listing, lambda entry: MD5)
    assert [r.entry.name for r in resolutions if r.entry] == list(names)


def test_a_folder_is_not_a_file() -> None:
    resolution = judge('<file name="sub"/>')
    assert resolution.problem is Problem.FILE_NOT_FOUND
    assert "is a folder" in resolution.reason


def test_existence_comes_before_the_checksum() -> None:
    missing = judge('<file name="gone.csv" checksum="x" checksumhashtype="sha1"/>')
    there = judge('<file name="accounts.csv" checksum="x" checksumhashtype="sha1"/>')
    assert missing.problem is Problem.FILE_NOT_FOUND
    assert there.problem is Problem.BAD_CHECKSUM
    assert "'sha1' is unknown" in there.reason


def test_a_file_that_vanishes_while_it_is_read_is_not_found() -> None:
    def gone(entry: Entry) -> str:
        raise FileNotFoundError(entry.name)

    manifest = parse(
        f'<file name="accounts.csv" checksum="{MD5}" checksumhashtype="md5"/>'.encode()
    )
    (resolution,) = resolve(manifest, FOLDER, gone)
    assert resolution.problem is Problem.FILE_NOT_FOUND
    assert resolution.entry is None


def test_a_fault_of_our_own_is_not_blamed_on_the_sender() -> None:
    def broken(entry: Entry) -> str:
        raise PermissionError(entry.name)

    manifest = parse(
        f'<file name="accounts.csv" checksum="{MD5}" checksumhashtype="md5"/>'.encode()
    )
    with pytest.raises(PermissionError):
        resolve(manifest, FOLDER, broken)


def test_every_line_is_answered_in_order_and_only_the_first_of_a_name_counts() -> None:
    lines = '<file name="accounts.csv"/><file name="../x"/><file name="accounts.csv"/>'
    resolutions = resolve(parse(f"<files>{lines}</files>".encode()), FOLDER, lambda entry: MD5)
    assert [f.reference.index for f in resolutions] == [0, 1, 2]
    assert [f.problem for f in resolutions] == [None, Problem.BAD_NAME, Problem.DUPLICATE]
    assert "only files in its own folder" in resolutions[1].reason


def test_the_copy_is_compared_in_the_same_words() -> None:
    (reference,) = parse(
        f'<file name="accounts.csv" checksum="{MD5}" checksumhashtype="md5"/>'.encode()
    ).references
    entry = FOLDER.by_name["accounts.csv"]
    assert compare(reference, entry, MD5).problem is None
    assert compare(reference, entry, "1" * 32).problem is Problem.CHECKSUM_MISMATCH
