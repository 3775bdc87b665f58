"""File names: the dictionary's default, patterns that would leave the folder or repeat a name."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import names
from portal.faults import Refused
from tests.sizes import examples

CREATED = datetime(2020, 5, 18, 22, 0, 13, tzinfo=UTC)
RUN, EXPORT = uuid.UUID(int=7), uuid.UUID(int=9)


def named(pattern: str, *, run: uuid.UUID = RUN, ext: str = ".csv", **values: object) -> str:
    given = {
        "event": "courseCompletion",
        "local_date": date(2020, 5, 17),
        "created": CREATED,
        "export_uid": EXPORT,
        "zone": "America/New_York",
    }
    return names.file_name(pattern, run_uid=run, extension=ext, **{**given, **values})  # type: ignore[arg-type]


def test_the_default_name_is_that_of_the_dictionary() -> None:
    name = named(names.DEFAULT, ext=".json")
    shape = r"courseCompletion-[1-9]\d{9}_2020-05-18T18-00-13-[0-9a-z]{7}\.json"
    assert re.fullmatch(shape, name)
    assert named(names.DEFAULT, ext=".json") == name, "the same whenever it is asked for"
    other = named(names.DEFAULT, run=uuid.UUID(int=8), ext=".json")
    assert other != name and other.split("_")[0] == name.split("_")[0]


def test_the_parts_of_a_name() -> None:
    assert named("u_{date}") == "u_2020-05-17.csv"
    assert named("u_{date:%Y%m%d}_{time:%H%M}") == "u_20200517_1800.csv"
    assert named("{run}") == f"{RUN.hex}.csv"
    assert named("{date}.csv") == "2020-05-17.csv"
    assert named("{date}.csv", ext=".csv.gz") == "2020-05-17.csv.gz"
    assert names.extension("csv", "zip") == ".zip"


@pytest.mark.parametrize(
    "pattern",
    [
        "../{date}", "/etc/{date}", "a/{date}", "a\\{date}", "..", ".{date}", "{date}.", " {date}",
        "{date} ", "", "   ", "{date}\x00", "{date}\n", "a:{date}", "{date}*", "{date}?",
        "\u202e{date}",
        "{date", "date}", "{{date}}", "{}", "{date.__class__}", "{date!r}", "{0}", "{nothing}",
        "{date:%s}", "{date:../}", "{date:%Y/%m/%d}", "{date:%H}", "{id:x}", "{date:}",
    ],
)  # fmt: skip
def test_a_pattern_that_would_leave_the_folder_or_has_no_sense_is_named(pattern: str) -> None:
    assert names.check(pattern, "csv", "")
    with pytest.raises(Refused):
        named(pattern)


@pytest.mark.parametrize("pattern", ["users", "{event}", "{id}", "{date:%Y-%m}", "{time:%H%M%S}"])
def test_a_pattern_that_gives_one_name_twice_is_refused(pattern: str) -> None:
    (fault,) = names.check(pattern, "csv", "")
    assert fault.code == "same_every_night" and fault.path == ("name_pattern",)


@pytest.mark.parametrize("pattern", [names.DEFAULT, "x{date}", "x{date:%j%y}", "{time}", "{run}"])
def test_a_sound_pattern_has_no_fault_and_other_names_on_other_days(pattern: str) -> None:
    assert names.check(pattern, "jsonl", "gzip") == []
    results = {
        named(
            pattern,
            run=uuid.uuid4(),
            created=CREATED + timedelta(days=n),
            local_date=date(2020, 5, 17) + timedelta(days=n),
        )
        for n in range(400)
    }
    assert len(results) == 400


def test_too_long_and_reserved_names_are_refused() -> None:
    assert [fault.code for fault in names.check("x" * 300 + "{date}", "csv", "")] == ["too_long"]
    assert names.check("x" * 180 + "{date}", "csv", "") == []
    (fault,) = names.check("x" * 180 + "{date}{event}", "csv", "")
    assert str(fault) == "The name can be up to 274 bytes long; the maximum is 200."


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=60), st.text(max_size=300))
def test_whatever_stands_in_it_a_name_is_one_safe_name(pattern: str, event: str) -> None:
    for candidate in (pattern, names.DEFAULT):
        try:
            name = named(candidate, event=event)
        except Refused:
            assert names.check(candidate, "csv", "")
            continue
        assert not re.search(r'[/\\:*?"<>|\x00-\x1f]', name)
        assert not name.startswith(".") and name.endswith(".csv")
        assert len(name.encode(errors="replace")) <= names.LONGEST


def test_a_name_given_already_differs_before_its_end() -> None:
    other = names.distinct("u_2020-05-17.csv.gz", RUN, ".csv.gz")
    assert re.fullmatch(r"u_2020-05-17-[0-9a-z]{7}\.csv\.gz", other)
    assert len(names.distinct("é" * 98 + ".csv", RUN, ".csv").encode()) <= names.LONGEST


def test_foreign_text_becomes_letters_and_hyphens() -> None:
    assert names.safe("../../etc/Año nuevo") == "etc-A-o-nuevo"
    assert names.safe("//..") == "export"


def test_the_preview_shows_what_a_run_made_now_would_be_called() -> None:
    shown = names.preview("u_{date}", event="x", zone="UTC", extension=".csv", created=CREATED)
    assert shown == "u_2020-05-17.csv"
