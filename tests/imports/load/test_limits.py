"""The rules that turn a plan into a hold, as numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from imports.load.ceilings import BadLimit, check
from imports.load.doubts import identifiers_suspect
from imports.load.limits import holds
from imports.load.measured import Hold, Measured, Plan, ValueCounts
from imports.load.released import differences


def plan(**counts: int) -> Plan:
    names = ("read", "created", "updated", "unchanged", "removed", "rejected")
    return Plan(**{**dict.fromkeys(names, 0), **counts})


def codes(measured: Measured, limits: dict[str, Any], **more: Any) -> list[str]:
    return [hold.code for hold in holds(measured, limits, **more)]


@pytest.mark.parametrize(
    ("measure", "counts"),
    [
        ("creates", {"created": 201}),
        ("updates", {"updated": 201}),
        ("removes", {"removed": 201}),
        ("rejects", {"rejected": 201}),
    ],
)
@pytest.mark.parametrize("limit", [200, "200", "10%", " 10.0% "])
def test_counts_and_percentages(measure: str, counts: dict[str, int], limit: str | int) -> None:
    measured = Measured(plan(read=2000, stored=2000, **counts))
    (hold,) = holds(measured, {"removes": "100%", measure: limit})
    assert (hold.code, hold.measure, hold.count, hold.limit) == (measure, measure, 201, limit)
    fewer = {name: number - 1 for name, number in counts.items()}
    within = Measured(plan(read=2000, stored=2000, **fewer))
    assert holds(within, {"removes": "100%", measure: limit}) == []


def test_many_removals_are_held_without_a_limit_being_set() -> None:
    assert codes(Measured(plan(removed=91, stored=900)), {}) == ["removes"]
    assert codes(Measured(plan(removed=90, stored=900)), {}) == []


@pytest.mark.parametrize(
    ("size", "limit", "count"),
    [(699, "30%", 31), (1301, "30%", 31), (899, 100, 101), (0, "99.5%", 100), (2100, "100%", 110)],
)
def test_a_file_of_another_size(size: int, limit: str | int, count: int) -> None:
    (hold,) = holds(Measured(plan(), size=size, last_size=1000), {"size_change": limit})
    assert (hold.code, hold.count) == ("size_change", count)
    assert ("smaller" in hold.sentence) is (size < 1000)


@pytest.mark.parametrize(("size", "last"), [(700, 1000), (1300, 1000), (5, None), (5, 0)])
def test_a_file_of_about_the_size_or_the_first_one(size: int, last: int | None) -> None:
    assert holds(Measured(plan(), size=size, last_size=last), {"size_change": "30%"}) == []


def test_key_churn_needs_new_ones_and_missing_ones() -> None:
    limits = {"key_churn": "20%"}
    assert codes(Measured(plan(read=100, created=21, stored=100), missing=21), limits) == [
        "key_churn"
    ]
    assert codes(Measured(plan(read=100, created=21, stored=100), missing=20), limits) == []
    assert codes(Measured(plan(read=100, created=20, stored=100), missing=21), limits) == []
    assert codes(Measured(plan(read=9, created=9, stored=9), missing=9), {"key_churn": 8}) == [
        "key_churn"
    ]
    assert codes(Measured(plan(read=9, created=9)), {"key_churn": "0%"}) == []
    assert codes(Measured(plan(read=9, created=9, stored=9), missing=8), {"key_churn": 8}) == []
    assert codes(Measured(plan(read=9, created=8, stored=9), missing=9), {"key_churn": 8}) == []


def test_changed_identifiers_are_asked_about_without_a_limit() -> None:
    changed = plan(read=100, created=92, unchanged=8, stored=100)
    (hold,) = holds(Measured(changed, missing=92, looked_up=92, recognised=80), {})
    assert (hold.code, hold.measure, hold.count) == ("identifiers_changed", "", 92)
    assert hold.sentence.startswith("92 % of the identifiers are new, while 80 of 92 of these rows")
    assert codes(Measured(changed, missing=92, looked_up=92, recognised=45), {}) == []
    assert codes(Measured(changed, missing=40, looked_up=92, recognised=92), {}) == []
    assert not identifiers_suspect(plan(read=9, created=9, stored=9), missing=9)


@pytest.mark.parametrize(
    ("people", "recognised", "looked_up", "reasons"),
    [
        (10, 10, 10, ["identifiers_changed"]),
        (10, 9, 10, []),
        (9, 9, 9, []),
        (20, 10, 20, ["identifiers_changed"]),
        (21, 10, 21, []),
    ],
)
def test_ten_recognised_people_and_half_of_the_new_ones_are_asked_about(
    people: int, recognised: int, looked_up: int, reasons: list[str]
) -> None:
    changed = plan(read=people, created=people, stored=people)
    measured = Measured(changed, missing=people, looked_up=looked_up, recognised=recognised)
    assert codes(measured, {}) == reasons


def test_limits_per_value_name_the_value() -> None:
    per = {"field": "School", "limits": {"removes": "10%", "creates": 3}}
    values = {
        "North": ValueCounts(removed=11, stored=110),
        "South": ValueCounts(removed=12, stored=110),
        "": ValueCounts(created=4),
    }
    reasons = holds(Measured(plan(), per_value=values), {}, per)
    assert [(hold.code, hold.value, hold.count) for hold in reasons] == [
        ("removes_per_value", "South", 12),
        ("creates_per_value", "", 4),
    ]
    assert reasons[0].sentence == (
        "School South: the file would remove 12 records; the limit is 10% (11 of 110)."
    )
    assert "(blank)" in reasons[1].sentence


def test_values_with_the_same_count_come_in_the_order_of_their_names() -> None:
    per = {"field": "School", "limits": {"creates": 1}}
    values = {name: ValueCounts(created=2) for name in ("South", "East", "North")}
    reasons = holds(Measured(plan(), per_value=values), {}, per)
    assert [hold.value for hold in reasons] == ["East", "North", "South"]


def test_many_values_beyond_a_limit_are_told_as_one_and_released_together() -> None:
    per = {"field": "School", "limits": {"creates": 1}}
    values = {f"{n:02}": ValueCounts(created=2 + n) for n in range(30)}
    reasons = holds(Measured(plan(), per_value=values), {}, per)
    assert (len(reasons), reasons[0].value, reasons[-1].value) == (21, "29", None)
    assert reasons[-1].sentence.startswith("10 more values")
    assert reasons[-1].count == 11, "The largest of those that are not named."
    released = {"holds": [hold.as_json() for hold in reasons]}
    assert holds(Measured(plan(), per_value=values), {}, per, released) == []
    values["00"] = ValueCounts(created=50)
    assert holds(Measured(plan(), per_value=values), {}, per, released)


def test_what_was_agreed_to_needs_no_new_yes() -> None:
    limits = {"creates": 5, "size_change": "10%"}
    measured = Measured(plan(created=9), size=50, last_size=100)
    reasons = holds(measured, limits)
    released = {"created": 9, "holds": [hold.as_json() for hold in reasons]}
    assert holds(measured, limits, released=released) == []
    assert codes(Measured(plan(created=10), size=50, last_size=100), limits, released=released) == [
        "creates"
    ]


def test_an_empty_mirror_and_one_with_rejected_rows() -> None:
    assert codes(Measured(plan(removed=1, absent=1, stored=1)), {}) == ["empty_mirror"]
    some = plan(read=2, unchanged=1, rejected=1, removed=1, absent=1, stored=2)
    assert codes(Measured(some), {}) == ["rejected_in_mirror"]
    assert codes(Measured(plan(read=1, rejected=1)), {}) == []


@pytest.mark.parametrize(
    "limits",
    [{"creates": "many"}, {"creates": "x%"}, {"creates": "inf%"}, {"creates": "nan%"},
     {"creates": -1}, {"creates": "-1%"}, {"deletes": 1}, {"creates": None}],
)  # fmt: skip
def test_a_limit_that_cannot_be_read_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(BadLimit):
        check(limits)


def test_a_limit_per_value_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(BadLimit, match="rejects"):
        holds(Measured(plan()), {}, {"field": "School", "limits": {"rejects": 1}})


def test_the_difference_to_a_released_plan_in_words() -> None:
    assert differences(plan(created=3), {"created": 3, "removed": 0}) == ""
    assert differences(plan(created=1, removed=2), {"created": 3, "removed": 0}) == (
        "created 1 instead of 3, removed 2 instead of 0"
    )
    assert Hold("c", "s", "m", 1, 2).as_json()["value"] is None


def test_one_record_is_not_spoken_of_as_several() -> None:
    measured = Measured(
        plan(read=2, created=1, rejected=1, removed=1, absent=1, stored=100), reused=1, zeros=1
    )
    sentences = [hold.sentence for hold in holds(measured, {"removes": 0})]
    assert len(sentences) >= 4
    assert not [text for text in sentences if re.search(r"(?<![\d,.])1 \w+s\b", text)]
