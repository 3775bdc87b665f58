"""Whole exports of other systems: their columns, and what they are exports of.

The figures are floors: whoever changes how names are compared sees here what it costs.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from imports.mapping.automatch import Suggestion, suggest
from imports.mapping.recognising import clearly_for, likely_feeds
from portal.records.catalog import catalog
from portal.records.definitions import Feed, RecordType

ROSTERS: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("rosters.yaml").read_text("utf-8")
)
SURE = 90  # per cent that a page calls sure


def header(name: str) -> list[str]:
    return [column[0] for column in ROSTERS[name]["columns"]]


def rows(name: str) -> list[list[str]]:
    return [[column[row] for column in ROSTERS[name]["columns"]] for row in (2, 3)]


def feeds() -> list[tuple[Feed, RecordType]]:
    return [(feed, catalog().record_type(feed.record_type)) for feed in catalog().feeds()]


@cache
def judged() -> list[tuple[str, str, Suggestion, bool]]:
    """File, column, suggestion, and whether it is right."""
    verdicts = []
    for name, roster in ROSTERS.items():
        feed = catalog().feed(roster["feeds"][0])
        record_type = catalog().record_type(feed.record_type)
        suggestions = suggest(header(name), rows(name), feed, record_type, {})
        for column, suggestion in zip(roster["columns"], suggestions, strict=True):
            right = (suggestion.field or "") in column[1].split("|")
            verdicts.append((name, column[0], suggestion, right))
    return verdicts


def is_sure(suggestion: Suggestion) -> bool:
    return round(suggestion.confidence * 100) >= SURE


def test_the_table_has_whole_files_of_many_systems() -> None:
    assert len(ROSTERS) >= 45
    assert len({name.split()[0] for name in ROSTERS}) >= 10
    assert len(judged()) >= 450


def test_nineteen_of_twenty_columns_get_the_right_field_or_rightly_none() -> None:
    right = sum(is_right for *_, is_right in judged())
    assert right / len(judged()) >= 0.95


def test_sure_is_said_of_no_wrong_field() -> None:
    wrong = [
        (name, column, suggestion.field, suggestion.reason)
        for name, column, suggestion, is_right in judged()
        if is_sure(suggestion) and not is_right
    ]
    assert wrong == []


def test_sure_is_said_where_a_fifth_of_the_columns_earn_it() -> None:
    assert sum(is_sure(suggestion) for *_, suggestion, _ in judged()) >= 0.2 * len(judged())


def test_likely_is_right_nine_times_in_ten() -> None:
    likely = [
        is_right
        for *_, suggestion, is_right in judged()
        if suggestion.confidence >= 0.7 and not is_sure(suggestion)
    ]
    assert sum(likely) >= 0.9 * len(likely)


def test_a_file_is_recognised_by_its_columns() -> None:
    wrong = {
        name: likely_feeds(header(name), rows(name), feeds())[0].feed.name
        for name, roster in ROSTERS.items()
        if likely_feeds(header(name), rows(name), feeds())[0].feed.name not in roster["feeds"]
    }
    assert len(wrong) <= len(ROSTERS) // 15, wrong


def test_a_file_in_another_feeds_folder_is_seldom_sent_astray() -> None:
    advice: Counter[str] = Counter()
    for name, roster in ROSTERS.items():
        likenesses = likely_feeds(header(name), [], feeds())
        for feed, _record_type in feeds():
            better = {other.name for other in clearly_for(likenesses, feed.name)}
            if feed.name in roster["feeds"]:
                advice["own, and doubted"] += bool(better)
            elif better:
                advice["right" if better & set(roster["feeds"]) else "wrong"] += 1
    assert advice["wrong"] <= 0.05 * advice["right"], advice
    assert advice["right"] >= 300, advice
    assert advice["own, and doubted"] <= 2, advice


@pytest.mark.parametrize("feed", [feed for feed in catalog().feeds() if not feed.keep_unknown])
def test_a_feeds_own_header_is_its_own(feed: Feed) -> None:
    names = feed.columns or [field.name for field in catalog().record_type(feed.record_type).fields]
    likenesses = likely_feeds(list(names), [], feeds())
    assert catalog().feed(likenesses[0].feed.name).record_type == feed.record_type
    assert clearly_for(likenesses, feed.name) == []


def test_no_columns_are_for_no_feed() -> None:
    assert clearly_for(likely_feeds([], [], feeds()), "accounts") == []
    assert clearly_for([], "accounts") == []
