"""What an event must look like, told field by field; what is sound is stored as it was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.events.payloads import LARGEST_PAYLOAD
from portal.events.rules import EventRefused, Incoming, read
from portal.events.types import known_types

SOUND = {"id": "a", "type": "free", "timestamp": "2026-05-18T18:00:13.5+02:00"}


def faults(**members: Any) -> list[str]:
    with pytest.raises(EventRefused) as refused:
        read({**SOUND, **members})
    return [fault.where for fault in refused.value.faults]


def test_the_time_keeps_its_offset_and_its_fraction() -> None:
    assert read(SOUND).at.isoformat() == "2026-05-18T18:00:13.500000+02:00"


@pytest.mark.parametrize(
    "moment",
    ["2026-05-18T18:00Z", "2026-05-18 18:00:00z", "2026-05-18t18:00:00.123456789-0400"],
)
def test_times_as_programs_write_them_are_read(moment: str) -> None:
    assert read({**SOUND, "timestamp": moment}).at.utcoffset() is not None


@pytest.mark.parametrize(
    "moment",
    ["2026-05-18", "20260518T180000Z", "2026-W20-1T00:00Z", "2026-05-18T24:01:00Z", "x", "", 5,
     "2026-05-18T00:00:00+16:00", "2026-05-18T00:00:00-23:59", "2199-12-31T23:59:59-10:00",
     "2026-05-18T18:00:60Z", "1899-12-31T00:00:00Z", "9999-12-31T23:59:59-12:00", None, True],
)  # fmt: skip
def test_other_times_are_refused(moment: object) -> None:
    assert faults(timestamp=moment) == ["timestamp"]


@pytest.mark.parametrize("offset", ["+14:00", "-12:00", "+15:59", "-15:59", "+0530"])
def test_offsets_that_a_database_takes_are_read(offset: str) -> None:
    assert read({**SOUND, "timestamp": f"2026-05-18T00:00:00{offset}"}).at.utcoffset() is not None


@pytest.mark.parametrize("levels", [21, 100, 475, 500, 935, 993, 100_000])
@pytest.mark.parametrize("lists", [False, True])
def test_a_payload_of_too_many_levels_is_the_events_fault(levels: int, lists: bool) -> None:
    payload: Any = {}
    for _ in range(levels - 1):
        payload = {"a": [payload] if lists else payload}
    assert faults(payload=payload) == ["payload"]


def test_without_a_payload_the_other_members_are_it() -> None:
    assert json.loads(read({**SOUND, "n": 1, "user": "lee"}).payload) == {"n": 1, "user": "lee"}
    assert read({**SOUND, "user": "lee"}).subject == "lee"
    assert read({**SOUND, "user": "lee", "subject": "kim"}).subject == "kim"
    assert read({**SOUND, "user": {"name": "lee"}}).subject == ""


def test_the_type_stands_in_event_where_that_is() -> None:
    both = read({**SOUND, "event": "courseCompletion"})
    assert (both.type, json.loads(both.payload)) == ("courseCompletion", {"type": "free"})


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(EventRefused) as refused:
        read({"id": 1, "type": "", "timestamp": 2, "subject": 3, "payload": 4})
    assert [fault.where for fault in refused.value.faults] == [
        "id",
        "type",
        "timestamp",
        "subject",
        "payload",
    ]


def test_a_fault_is_a_value_that_leads_to_its_member_and_tells_what_to_do() -> None:
    completion = {**SOUND, "type": "courseAction", "percent": "half", "kind": "begin 100%"}
    with pytest.raises(EventRefused) as refused:
        read({**completion, "id": "x" * 201})
    codes = [(fault.path, fault.code) for fault in refused.value.faults]
    assert codes == [
        (("id",), "too_long"),
        (("kind",), "not_in_list"),
        (("percent",), "wrong_kind"),
    ]
    assert str(refused.value) == (
        '"id" has 201 characters; the maximum is 200. Shorten it. '
        '"kind" is "begin 100%". Use one of: start, progress, complete. '
        '"percent" is text, expected a number or null.'
    )


def test_the_path_of_a_member_within_the_payload_leads_through_its_objects() -> None:
    with pytest.raises(EventRefused) as refused:
        read({**SOUND, "type": "courseCompletion", "payload": {"userDetail": {"id": 5}}})
    (fault,) = refused.value.faults
    assert (fault.path, fault.where) == (
        ("payload", "userDetail", "id"),
        "payload.userDetail.id",
    )


def test_null_stands_for_nothing_in_what_may_be_left_out() -> None:
    assert read({**SOUND, "subject": None, "payload": None}).payload == "{}"


def test_the_largest_payload_is_64_kib_and_one_byte_more_is_refused() -> None:
    room = LARGEST_PAYLOAD - len('{"x":""}')
    assert len(read({**SOUND, "payload": {"x": "y" * room}}).payload) == 65_536
    assert faults(payload={"x": "y" * (room + 1)}) == ["payload"]
    assert faults(payload={"x": "é" * (room // 2 + 1)}) == ["payload"]


def test_a_text_that_only_spells_nul_is_sound() -> None:
    text = "a backslash and u0000: \\u0000"
    assert json.loads(read({**SOUND, "payload": {"x": text}}).payload) == {"x": text}


def test_every_known_type_accepts_its_own_samples() -> None:
    for event_type in known_types().values():
        payload: dict[str, Any] = {}
        for member in event_type.members:
            branch, names = payload, member.name.split(".")
            for name in names[:-1]:
                branch = branch.setdefault(name, {})
            number = member.kind == "number"
            branch[names[-1]] = 1 if number else member.sample or None
        assert read({**SOUND, "type": event_type.name, "payload": payload}).type == event_type.name


def test_course_completions_have_the_members_of_the_platforms_file() -> None:
    """Research notes 4.2, without what an event has anyway."""
    names = [member.name for member in known_types()["courseCompletion"].members]
    assert " ".join(names) == (
        "source type user companyId notifiableId title userDetail.id userDetail.firstName"
        " userDetail.lastName userDetail.externalCustomerId userDetail.sfContactId"
        " userDetail.sfAccountId userDetail.client userDetail.ref1 userDetail.ref2 userDetail.ref3"
    )


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text takes its time
@given(ANY | st.fixed_dictionaries({"id": ANY, "type": ANY, "timestamp": ANY, "payload": ANY}))
def test_whatever_comes_is_an_event_or_refused_in_words(document: Any) -> None:
    try:
        event = read(document)
    except EventRefused as refused:
        assert all(len(str(fault)) > 10 for fault in refused.faults)
    else:
        assert isinstance(event, Incoming)
        assert isinstance(json.loads(event.payload), dict)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), ANY, max_size=5))
def test_a_sound_payload_is_stored_as_it_is(payload: dict[str, Any]) -> None:
    try:
        event = read({**SOUND, "payload": payload})
    except EventRefused as refused:
        assert {fault.where for fault in refused.faults} == {"payload"}
    else:
        assert json.loads(event.payload) == payload
        event.payload.encode()
