"""The manifest protocol over a listing: claims, waiting files, states (seed 001)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.arrivals.decisions import Verdict, minute, shown
from imports.arrivals.listing import Entry, Listing
from imports.arrivals.manifest import ManifestDetection, detect
from imports.manifest import ManifestState, free_name, state_name
from portal.dropserver.paths import MAX_NAME_BYTES

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
SECOND = 10**9


def entry(name: str, *, age: timedelta = timedelta(0), is_dir: bool = False) -> Entry:
    written = int((NOW - age).timestamp()) * SECOND
    return Entry(name, 10, written, 1, is_dir, written)


def look(*names: str, age: timedelta = timedelta(0), **options: object) -> ManifestDetection:
    return detect(Listing(entry(name, age=age) for name in names), NOW, **options)


def verdicts(detection: ManifestDetection) -> dict[str, str]:
    return {decision.subject: decision.verdict for decision in detection.decisions}


def names(entries: list[Entry]) -> list[str]:
    return [each.name for each in entries]


def test_it_claims_manifests_in_order_of_name_and_in_any_case() -> None:
    detection = look("b.done", "a.DONE", "c.Done", "data.csv")
    assert names(detection.claims) == ["a.DONE", "b.done", "c.Done"]
    assert verdicts(detection) == {"data.csv": Verdict.WAITING_FOR_MANIFEST}


def test_it_says_since_when_a_file_waits_and_what_to_do() -> None:
    (decision,) = look("data.csv", age=timedelta(hours=3)).decisions
    assert "2025-03-01 09:00 UTC" in decision.reason
    assert ".done" in decision.reason


def test_a_file_that_a_manifest_under_way_names_is_not_waiting() -> None:
    detection = look("data.csv", "other.csv", named={"data.csv"})
    assert verdicts(detection) == {
        "data.csv": Verdict.IN_PROGRESS,
        "other.csv": Verdict.WAITING_FOR_MANIFEST,
    }


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("data.csv.filepart", Verdict.TEMPORARY),
        ("data.done.filepart", Verdict.TEMPORARY),
        ("data.PART", Verdict.TEMPORARY),
        ("data.tmp", Verdict.TEMPORARY),
        (".data.csv", Verdict.HIDDEN),
        (".part-1f", Verdict.HIDDEN),
        (".accounts.done", Verdict.HIDDEN),
        (".done", Verdict.UNNAMED_MANIFEST),
        ("data.csv.result.txt", Verdict.RESULT),
        ("data.csv.errors.csv", Verdict.RESULT),
        ("data.done.txt", Verdict.ALMOST_MANIFEST),
        ("data.done.xml", Verdict.ALMOST_MANIFEST),
        ("data.done (1)", Verdict.ALMOST_MANIFEST),
        ("data.done.processing", Verdict.WAITING_FOR_MANIFEST),
        ("Thumbs.db", Verdict.IGNORED),
        ("~$data.xlsx", Verdict.IGNORED),
        ("data.csv~", Verdict.IGNORED),
        ("data.xlsx", Verdict.WAITING_FOR_MANIFEST),
        ("x" * 240 + ".done", Verdict.NAME_TOO_LONG),
        ("a.done.INVALIDSCHEMA", Verdict.INVALID_SCHEMA),
        ("a.done.2.INVALIDSCHEMA", Verdict.INVALID_SCHEMA),
        ("a.done.CONTAINSINVALIDFILES", Verdict.INVALID_FILES),
        ("a.done.PROCESSING", Verdict.PROCESSING),
        ("a.done.IMPORTCONFIGMISSING", Verdict.CONFIGURATION_MISSING),
    ],
)
def test_it_explains_every_other_file(name: str, verdict: Verdict) -> None:
    detection = look(name)
    assert detection.claims == []
    assert verdicts(detection) == {name: verdict}
    assert detection.decisions[0].reason.endswith((".", ")."))


def test_every_name_that_is_claimed_has_room_for_its_longest_state_and_a_number() -> None:
    manifests = ["x" * length + ".done" for length in range(200, 240)]
    claimed = [name for name in manifests if names(look(name).claims)]
    state = state_name(claimed[-1], max(ManifestState, key=len))
    numbered = [state, *(free_name(state, [state]).replace(".2.", f".{n}.") for n in range(2, 999))]
    assert len(free_name(state, numbered)) == MAX_NAME_BYTES == 255
    assert claimed == manifests[: len(claimed)] != manifests


def test_a_folder_named_like_a_manifest_is_explained_and_others_are_no_files() -> None:
    detection = detect(Listing([entry("a.done", is_dir=True), entry("Errors", is_dir=True)]), NOW)
    assert detection.claims == []
    assert verdicts(detection) == {"a.done": Verdict.MANIFEST_IS_FOLDER}


@pytest.mark.parametrize(("minutes", "due"), [(4, False), (5, True), (600, True)])
def test_it_tries_a_missing_configuration_again_after_the_interval(minutes: int, due: bool) -> None:
    name = "a.done.IMPORTCONFIGMISSING"
    detection = look(name, age=timedelta(minutes=minutes), retry_after=timedelta(minutes=5))
    assert names(detection.retry) == ([name] if due else [])
    expected = Verdict.CONFIGURATION_RETRY if due else Verdict.CONFIGURATION_MISSING
    assert verdicts(detection) == {name: expected}


def test_it_says_when_the_configuration_is_tried_again() -> None:
    detection = look("a.done.IMPORTCONFIGMISSING", retry_after=timedelta(minutes=7))
    assert "2025-03-01 12:07 UTC" in detection.decisions[0].reason


@pytest.mark.parametrize(("seconds", "stale"), [(300, False), (301, True)])
def test_a_claim_is_stale_only_beyond_its_lease(seconds: int, stale: bool) -> None:
    detection = look(
        "a.done.PROCESSING", age=timedelta(seconds=seconds), lease=timedelta(minutes=5)
    )
    verdict = Verdict.PROCESSING_STALE if stale else Verdict.PROCESSING
    assert verdicts(detection) == {"a.done.PROCESSING": verdict}
    assert detection.claims == []


def test_the_claim_is_dated_by_the_rename_not_by_the_upload() -> None:
    uploaded = int((NOW - timedelta(days=1)).timestamp()) * SECOND
    renamed = int(NOW.timestamp()) * SECOND
    claimed = Entry("a.done.PROCESSING", 10, uploaded, 1, False, renamed)
    assert verdicts(detect(Listing([claimed]), NOW)) == {"a.done.PROCESSING": Verdict.PROCESSING}


def test_a_rename_moves_ctime_where_drops_are_kept(tmp_path: Path) -> None:
    manifest = tmp_path / "a.done"
    manifest.write_bytes(b"")
    before = manifest.stat()
    while (after := manifest.rename(tmp_path / "b").rename(manifest).stat()).st_ctime_ns == (
        before.st_ctime_ns
    ):
        pass
    assert after.st_ctime_ns > before.st_ctime_ns
    assert after.st_mtime_ns == before.st_mtime_ns


def test_an_empty_folder_needs_no_decision() -> None:
    detection = look()
    assert (detection.claims, detection.retry, detection.decisions) == ([], [], [])


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/\0"), min_size=1)
        | st.tuples(
            st.sampled_from(["a.done", "b.DONE", ".done", "c.csv", "{x}"]),
            st.sampled_from(["", ".PROCESSING", ".2.IMPORTCONFIGMISSING", ".tmp", ".txt"]),
        ).map("".join),
        st.tuples(st.integers(-(2**80), 2**80), st.booleans()),
        max_size=8,
    )
)
def test_every_file_is_claimed_or_explained_whatever_its_name_and_time(
    facts: dict[str, tuple[int, bool]],
) -> None:
    listing = Listing(Entry(n, 0, time, 1, folder) for n, (time, folder) in facts.items())
    detection = detect(listing, NOW)
    claimed = set(names(detection.claims))
    explained = [decision.subject for decision in detection.decisions]
    assert len(explained) == len(set(explained))
    assert claimed.isdisjoint(explained)
    assert claimed | set(explained) >= {e.name for e in listing if not e.is_dir}
    assert set(names(detection.retry)) <= set(explained)
    for decision in detection.decisions:
        decision.reason.encode()
        assert "\n" not in decision.reason


def test_foreign_names_are_shown_harmless() -> None:
    assert shown("a\nb\u202ecsv\udcff") == "a\\u000ab\\u202ecsv\\udcff"
    assert len(shown("x" * 500)) == 120
    assert minute(NOW, UTC) == "2025-03-01 12:00 UTC"
    assert minute(NOW, ZoneInfo("America/Chicago")) == "2025-03-01 06:00 America/Chicago"
