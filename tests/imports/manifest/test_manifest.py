"""The manifest: reading, marking, states, identity (seed 001; promises A9, A11, A31)."""

from __future__ import annotations

import gc
import hashlib
import re
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import pytest
import xmlschema
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.arrivals.listing import Entry, Listing
from imports.arrivals.references import resolve
from imports.manifest import (
    InvalidSchema,
    ManifestState,
    Problem,
    Reference,
    annotate,
    free_name,
    identity,
    is_manifest,
    parse,
    parse_state,
    state_name,
)
from imports.manifest.encoding import document
from imports.manifest.reading import MAX_BYTES
from tests.imports.manifest.bombs import BOMBS
from tests.imports.manifest.cases import CASES, MD5, SEED_LITERAL, Case, files, line, published
from tests.sizes import examples

XSD = Path(__file__).parents[3] / "docs" / "manifest.xsd"
SCHEMA = xmlschema.XMLSchema(XSD)


def listing(case: Case) -> Listing:
    """The folder of the case, as the drop would list it."""
    entries = [
        Entry(name, len(data), 1, number) for number, (name, data) in enumerate(case.files.items())
    ]
    return Listing([*entries, Entry("archive", 0, 1, 99, is_dir=True)])


def judge(case: Case) -> tuple[bool, bytes, list[str]]:
    """Whether the case's manifest is readable, the marked document, the files to process."""
    try:
        manifest = parse(case.data)
    except InvalidSchema:
        return False, case.data, []
    resolutions = resolve(
        manifest,
        listing(case),
        lambda entry: hashlib.md5(case.files[entry.name], usedforsecurity=False).hexdigest(),
    )
    problems = {r.reference.index: r.problem for r in resolutions if r.problem}
    processed = [r.entry.name for r in resolutions if r.entry and not r.problem]
    return True, annotate(case.data, problems), processed


def _root(data: bytes) -> Element:
    """The root element, read by another parser than ours; it is told the encoding."""
    xml = document(data)
    parser = ElementTree.DefusedXMLParser(encoding=xml.encoding)
    parser.feed(xml.content)
    return parser.close()


def marks(data: bytes) -> dict[int, str]:
    """The INVALID attributes as an independent parser sees them."""
    elements = [e for e in _root(data).iter() if "file" in local(e.tag)]
    lines = [e for e in elements if local(e.tag) == "file"]
    return {n: e.attrib["INVALID"] for n, e in enumerate(lines) if "INVALID" in e.attrib}


def local(tag: str) -> str:
    return tag.rpartition("}")[2].lower()


def described(data: bytes) -> set[tuple[str, str, str, Problem | None]]:
    return {(r.name, r.checksum, r.hash_type, r.problem) for r in parse(data).references}


def test_the_table_is_as_large_as_promised() -> None:
    assert len(CASES) >= 40
    assert len({case.title for case in CASES}) == len(CASES)
    assert len(BOMBS) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_it_gives_each_manifest_its_marks(case: Case) -> None:
    readable, marked, processed = judge(case)
    assert readable == (case.state is not ManifestState.INVALIDSCHEMA)
    assert tuple(processed) == case.processed
    if readable:
        assert marks(marked) == case.invalid


@pytest.mark.parametrize("case", [c for c in CASES if c.invalid], ids=lambda case: case.title)
def test_it_changes_nothing_but_the_marks(case: Case) -> None:
    _, marked, _ = judge(case)
    unmarked = marked
    for problem in case.invalid.values():
        unmarked = unmarked.replace(f' INVALID="{problem}"'.encode(), b"", 1)
    if b"invalid" not in case.data.lower():
        assert unmarked == case.data
    assert described(marked) == described(case.data)
    assert annotate(marked, {k: Problem(v) for k, v in case.invalid.items()}) == marked


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_it_marks_in_the_documents_own_encoding(encoding: str) -> None:
    text = "<!-- \u00e9 --><files>\r\n\t<file name='\u00fc.csv'/><file\nname='b.csv' />\r\n</files>"
    if encoding not in ("utf-16-le", "utf-16-be"):
        text = f'<?xml version="1.0" encoding="{encoding}"?>' + text
    expected = text.replace("'b.csv'", "'b.csv' INVALID=\"BadName\"")
    assert annotate(text.encode(encoding), {1: Problem.BAD_NAME}) == expected.encode(encoding)


def test_it_marks_behind_characters_of_two_units() -> None:
    text = "<files>\U0001f600<file name='\U0001f600.csv'/></files>"
    marked = annotate(text.encode("utf-16"), {0: Problem.FILE_NOT_FOUND})
    expected = text.replace("'/>", '\' INVALID="FileNotFound"/>').encode("utf-16")
    assert marked == expected


def test_it_does_not_take_text_inside_an_attribute_for_a_mark() -> None:
    data = b"""<files><file name="a.csv" note=" INVALID='x'" x:invalid='y' z="1"/></files>"""
    marked = annotate(data, {0: Problem.DUPLICATE})
    expected = (
        b"""<files><file name="a.csv" note=" INVALID='x'" z="1" INVALID="Duplicate"/></files>"""
    )
    assert marked == expected


def test_it_skips_files_in_comments_when_it_counts() -> None:
    data = files(
        "<!-- " + line("x.csv") + " -->", line("a.csv"), "<![CDATA[<file>]]>", line("b.csv")
    )
    marked = annotate(data, {1: Problem.FILE_NOT_FOUND})
    assert b'name="b.csv" checksum="' + MD5.encode() in marked
    assert marked.count(b"INVALID") == 1
    assert marks(marked) == {1: "FileNotFound"}


def test_it_refuses_to_mark_a_line_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="number 3"):
        annotate(files(line()), {3: Problem.BAD_NAME})


def test_marks_do_not_make_a_manifest_too_large_to_be_read_again() -> None:
    text = "<files>" + "".join(f"<file name='{n:04}.csv'/>" for n in range(1000))
    text += " " * (128 * 1024 - 1 - len(text) - 8) + "</files>"
    data = text.encode("utf-16")
    assert len(data) == 256 * 1024
    marked = annotate(data, dict.fromkeys(range(1000), Problem.CHECKSUM_MISMATCH))
    assert len(parse(marked, marked=True).references) == 1000
    assert annotate(marked, {}) == data


@pytest.mark.parametrize(
    ("data", "reason", "at"),
    [
        (SEED_LITERAL, "there must be a space", 1),
        (SEED_LITERAL.decode().encode("utf-16"), "there must be a space", 1),
        (b"<files>\n<!DOCTYPE x>", "not well-formed", 2),
        (b"\n\n<files>\n<file/>", "not well-formed", 4),
        (b'<files>\n <file name="R&D.csv"/></files>', "At character 15 of the line", 2),
        (b'<files>\n <file name="R&D.csv"/></files>', '"&amp;"', 2),
        (b'\r\n<files>\r\n <file name="A&B;.csv"/></files>', '"&amp;"', 3),
        ('<files><file name="a & b.csv"/></files>'.encode("utf-16"), '"&amp;"', 1),
        ("<files><file name=\u201ca.csv\u201d/></files>".encode(), "straight ones", 1),
        (b"<!DOCTYPE x><f/>", "Remove the <!DOCTYPE", 1),
        (b"<files/>", "no file element", None),
        (b"", "empty", None),
        (b"x" * (256 * 1024 + 1), "262,145 bytes; the maximum is 262,144", None),
        (b"<?xml version='1.0' encoding='klingon'?><f/>", "PowerShell", 1),
    ],
)
def test_it_says_what_is_wrong_and_where(data: bytes, reason: str, at: int | None) -> None:
    with pytest.raises(InvalidSchema) as refused:
        parse(data)
    assert reason in refused.value.reason
    assert refused.value.line == at


def test_it_accepts_exactly_1000_files_and_256_kib() -> None:
    data = files(*(f'<file name="{n}.csv"/>' for n in range(1000)))
    data = data.replace(b"</files>", b" " * (256 * 1024 - len(data)) + b"</files>")
    assert len(data) == 256 * 1024
    assert len(parse(data).references) == 1000


def test_eight_levels_are_read_and_nine_are_not() -> None:
    assert len(parse(f"{'<a>' * 7}<file name='a.csv'/>{'</a>' * 7}".encode()).references) == 1
    with pytest.raises(InvalidSchema, match="8 levels"):
        parse(f"{'<a>' * 8}<file name='a.csv'/>{'</a>' * 8}".encode())


@pytest.mark.parametrize("title", BOMBS)
def test_it_refuses_a_bomb_quickly_and_in_little_memory(title: str) -> None:
    data = BOMBS[title]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        started = time.thread_time()
        with pytest.raises(InvalidSchema):
            parse(data)
        spent = time.thread_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent <= 1.0
    assert peak - before <= 20 * 1024 * 1024


@given(st.binary(max_size=300))
@settings(max_examples=examples(500), deadline=None)
def test_it_raises_nothing_but_invalid_schema_for_any_bytes(data: bytes) -> None:
    survives(data)


@given(
    st.lists(
        st.sampled_from(
            [
                b"<",
                b">",
                b"/>",
                b"<files>",
                b"</files>",
                b"<file",
                b" name=",
                b' INVALID="x"',
                b"'",
                b'"',
                b"a.csv",
                b"&",
                b"&#65;",
                b"&x;",
                b"\0",
                b"\xff",
                b"\xfe",
                b"<?xml version='1.0'",
                b" encoding='",
                b"utf-16",
                b"latin-1",
                b"big5",
                b"idna",
                b"hex",
                b"?>",
                b"<!--",
                b"-->",
                b"<![CDATA[",
                b"]]>",
                b"<!DOCTYPE x [",
                b"<!ENTITY x 'y'>",
                b"]>",
                b"\n",
                b"\xc3\xa9",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(["", "utf-16-le", "utf-16-be", "utf-16"]),
)
@settings(max_examples=examples(1000), deadline=None)
def test_it_raises_nothing_else_for_pieces_of_xml(pieces: list[bytes], encoding: str) -> None:
    data = b"".join(pieces)
    survives(data.decode("latin-1").encode(encoding) if encoding else data)


def survives(data: bytes) -> None:
    try:
        manifest = parse(data)
    except InvalidSchema as refused:
        assert refused.reason
        return
    problems = dict.fromkeys(range(len(manifest.references)), Problem.FILE_NOT_FOUND)
    assert parse(annotate(data, problems), marked=True) == manifest


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1
).filter(str.strip)
REFERENCES = st.lists(
    st.tuples(NAMES, st.sampled_from([("", ""), ("", "none"), (MD5, "md5"), ("x", "sha1")])),
    min_size=1,
    max_size=20,
).map(lambda rows: [Reference(n, name, *pair) for n, (name, pair) in enumerate(rows)])


@given(REFERENCES, st.data(), st.sampled_from(["utf-8", "utf-16"]))
@settings(max_examples=examples(200), deadline=None)
def test_marking_keeps_every_reference(
    references: list[Reference], data: st.DataObject, encoding: str
) -> None:
    document = published(references).decode().replace('"utf-8"', f'"{encoding}"').encode(encoding)
    chosen = data.draw(
        st.dictionaries(st.integers(0, len(references) - 1), st.sampled_from(Problem))
    )
    marked = annotate(document, chosen)
    assert parse(marked) == parse(document)
    assert [r.name for r in parse(document).references] == [r.name for r in references]
    assert marks(marked) == {index: problem.value for index, problem in chosen.items()}
    assert annotate(marked, {}) == document


def test_the_published_form_fits_the_published_schema() -> None:
    schema = SCHEMA
    references = [
        Reference(0, "accounts.csv", MD5, "md5"),
        Reference(1, 'O\'Brien & "Söhne" <x>.csv', "", ""),
        Reference(2, "photos.zip", "", "none"),
    ]
    document = published(references)
    schema.validate(document.decode())
    schema.validate(annotate(document, dict.fromkeys(range(3), Problem.BAD_NAME)).decode())
    read = parse(document).references
    assert [(r.name, r.checksum, r.problem) for r in read] == [
        (r.name, r.checksum, None) for r in references
    ]


def test_the_published_schema_knows_every_mark_and_refuses_others() -> None:
    schema = SCHEMA
    for problem in Problem:
        schema.validate(f'<files><file name="a" INVALID="{problem.value}"/></files>')
    for wrong in (
        "<files/>",
        "<files><file/></files>",
        '<files><file name="a/b"/></files>',
        '<files><file name="a" checksum="1"/></files>',
        '<files><file name="a" checksumhashtype="sha1"/></files>',
        '<files><file name="a" INVALID="Else"/></files>',
    ):
        assert not schema.is_valid(wrong), wrong


# What the comment of the schema names as beyond XSD 1.0, a line that shows it, and that the schema
# lets it pass: where a later schema can say it, the comment is to be mended.
BEYOND_XSD = [
    ("a document type", f"<!DOCTYPE files><files>{line()}</files>"),
    ("more than 256 KiB", f"<files>{line()}<!--{' ' * (MAX_BYTES + 1)}--></files>"),
    ("more than 255 bytes", f"<files>{line('é' * 200, '', 'none')}</files>"),
    ("x.done.PROCESSING", f"<files>{line('x.done.PROCESSING', '', 'none')}</files>"),
    ("md5 without a checksum", f"<files>{line(checksum='')}</files>"),
    ("a checksum without md5", f"<files>{line(hash_type='none')}</files>"),
]


def is_good(document: str) -> bool:
    """Whether the portal finds nothing wrong in the manifest itself."""
    try:
        references = parse(document.encode()).references
    except InvalidSchema:
        return False
    return all(reference.problem is None for reference in references)


@pytest.mark.parametrize(("words", "document"), BEYOND_XSD, ids=[words for words, _ in BEYOND_XSD])
def test_the_schema_says_what_it_cannot_say(words: str, document: str) -> None:
    comment = re.sub(r"\s+", " ", XSD.read_text("utf-8").partition("<xs:schema")[0])
    assert words in comment
    assert not is_good(document)
    if "DOCTYPE" not in document:  # a validator may refuse it before it looks at the schema
        assert SCHEMA.is_valid(document)


@settings(max_examples=examples(400))
@given(st.text(st.sampled_from("./\\doneDONE aé\x85\xa0\t\n1"), max_size=8))
def test_a_name_passes_the_schema_if_the_portal_takes_it(name: str) -> None:
    quoted = quoteattr(name, {"\x85": "&#133;"})
    document = f'<files><file name={quoted} checksum="" checksumhashtype="none"/></files>'
    assert SCHEMA.is_valid(document) == is_good(document), document


def test_the_schema_refuses_a_file_that_is_named_twice() -> None:
    document = f"<files>{line()}{line()}</files>"
    assert not SCHEMA.is_valid(document)
    assert not is_good(document)


@pytest.mark.parametrize("name", ["a.done", "A.DONE", "a.b.Done", "..done", "a b.done"])
def test_it_knows_a_manifest_by_its_extension(name: str) -> None:
    assert is_manifest(name)


@pytest.mark.parametrize(
    "name", ["", ".done", "done", "a.done ", "a.don", "a.done.txt", "a.done\n", "adone"]
)
def test_it_takes_nothing_else_for_a_manifest(name: str) -> None:
    assert not is_manifest(name)


@pytest.mark.parametrize("state", ManifestState)
def test_it_names_the_states_as_the_seed_does(state: ManifestState) -> None:
    assert state_name("accounts.done", state) == f"accounts.done.{state.value}"
    assert parse_state(f"accounts.DONE.{state.value}") == ("accounts.DONE", state)
    assert state_name("accounts.done.PROCESSING", state) == f"accounts.done.{state.value}"
    assert state_name("accounts.done.2.PROCESSING", state) == f"accounts.done.{state.value}"


@pytest.mark.parametrize(
    "name",
    [
        "a.done",
        "a.done.processing",
        "a.PROCESSING",
        "a.done.2",
        "a.done.x.PROCESSING",
        "PROCESSING",
        ".PROCESSING",
        ".done.PROCESSING",
        "a.done.PROCESSING.csv",
        "a.done.٣.PROCESSING",
    ],
)
def test_it_takes_nothing_else_for_a_state(name: str) -> None:
    assert parse_state(name) is None


def test_it_puts_a_number_before_the_state_when_a_name_is_taken() -> None:
    taken = {"a.done.INVALIDSCHEMA"}
    assert free_name("b.done.INVALIDSCHEMA", taken) == "b.done.INVALIDSCHEMA"
    second = free_name("a.done.INVALIDSCHEMA", taken)
    assert second == "a.done.2.INVALIDSCHEMA"
    assert free_name("a.done.INVALIDSCHEMA", taken | {second}) == "a.done.3.INVALIDSCHEMA"
    assert parse_state(second) == ("a.done", ManifestState.INVALIDSCHEMA)
    assert free_name("plain", {"plain"}) == "plain.2"
    assert free_name("a.csv.result.txt", {"a.csv.result.txt"}) == "a.csv.result.2.txt"


def test_ten_looks_at_one_delivered_manifest_are_one_arrival(tmp_path: Path) -> None:
    delivered = tmp_path / "accounts.done"
    delivered.write_bytes(files(line()))
    start = threading.Barrier(10)

    def look(number: int) -> str:
        start.wait()
        with delivered.open("rb") as stream:
            content = stream.read()
        return key(delivered, content)

    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(look, range(10)))
    claimed = delivered.rename(tmp_path / "accounts.done.PROCESSING")
    keys.add(key(claimed, claimed.read_bytes()))
    assert len(keys) == 1


def test_the_same_manifest_sent_again_is_another_arrival(tmp_path: Path) -> None:
    delivered = tmp_path / "accounts.done"
    delivered.write_bytes(files(line()))
    first = key(delivered, delivered.read_bytes())
    again = tmp_path / ".part-1"
    again.write_bytes(files(line()))
    again.replace(delivered)
    assert key(delivered, delivered.read_bytes()) != first


def test_the_same_file_facts_in_another_drop_are_another_arrival() -> None:
    facts = {"inode": 1, "mtime_ns": 2, "size": 3, "sha256": "AB"}
    assert identity("a", **facts) != identity("b", **facts)
    assert identity("a", **facts) == identity("a", **{**facts, "sha256": "ab"})
    assert identity("a", **facts) != identity("a", **{**facts, "inode": 12, "mtime_ns": 2})
    assert len(identity("a", **facts)) == 64


def key(path: Path, content: bytes) -> str:
    facts = path.stat()
    return identity(
        "drop",
        inode=facts.st_ino,
        mtime_ns=facts.st_mtime_ns,
        size=facts.st_size,
        sha256=hashlib.sha256(content).hexdigest(),
    )
