"""Events over REST: each id once, faults named one by one, pages by cursor."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test import Client

import portal
from portal.api import reading
from tests.portal.api.callers import Callers, event

NOTHING = {"accepted": 0, "duplicates": 0, "conflicts": 0}


def problem(answer: Any, code: int) -> dict[str, Any]:
    assert answer.status_code == code, answer.content
    assert answer["Content-Type"].startswith("application/problem+json")
    document: dict[str, Any] = answer.json()
    assert document["status"] == code
    assert document["title"]
    return document


def test_one_event_is_stored_as_it_was_sent(callers: Callers) -> None:
    answer = callers.home.send(event())
    assert answer.status_code == 200, answer.content
    assert answer.json() == {**NOTHING, "accepted": 1}
    (stored,) = callers.home.stored()
    assert (stored.uid, stored.type, stored.source) == ("e-1", "courseCompletion", "api")
    assert stored.at.isoformat() == "2026-05-18T18:00:13+00:00"
    assert stored.subject == "lee@example.edu"
    assert stored.payload == event()["payload"]


@pytest.mark.parametrize("wrap", [lambda all: all, lambda all: {"events": all}])
def test_many_events_come_as_a_list_or_wrapped(callers: Callers, wrap: Any) -> None:
    answer = callers.home.send(wrap([event("e-1"), event("e-2")]))
    assert answer.json() == {**NOTHING, "accepted": 2}
    assert [row.uid for row in callers.home.stored()] == ["e-1", "e-2"]


def test_the_platforms_own_shape_is_understood(callers: Callers) -> None:
    """Dictionary 4.2: the type stands in `event`, and `type` is an ordinary member."""
    sent = {
        "id": "5f0c",
        "source": "course_completed",
        "timestamp": "2020-05-18T18:00:13.123Z",
        "type": "status_change",
        "user": "lee@example.edu",
        "event": "courseCompletion",
        "title": "Laboratory safety",
        "userDetail": {"firstName": "Lee", "sfContactId": None},
    }
    assert callers.home.send(sent).status_code == 200
    (stored,) = callers.home.stored()
    assert (stored.type, stored.subject) == ("courseCompletion", "lee@example.edu")
    assert stored.payload == {
        key: value for key, value in sent.items() if key not in ("id", "timestamp", "event")
    }


def test_the_same_event_again_is_a_duplicate_and_changed_a_conflict(callers: Callers) -> None:
    callers.home.send([event("e-1"), event("e-2")])
    assert callers.home.send(event("e-1")).json() == {**NOTHING, "duplicates": 1}
    answer = callers.home.send([event("e-1"), event("e-2", subject="kim"), event("e-3")])
    document = problem(answer, 422)
    assert {name: document[name] for name in NOTHING} == {
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 1,
    }
    (fault,) = document["faults"]
    assert (fault["index"], fault["id"], fault["field"]) == (1, "e-2", "id")
    assert [row.subject for row in callers.home.stored()] == ["lee@example.edu"] * 3


def test_an_id_belongs_to_one_tenant_only(callers: Callers) -> None:
    callers.home.send(event("e-1"))
    assert callers.abroad.send(event("e-1", subject="other")).json() == {**NOTHING, "accepted": 1}
    assert [row.subject for row in callers.home.stored()] == ["lee@example.edu"]


def test_the_sound_events_of_a_request_are_stored_and_the_others_named(callers: Callers) -> None:
    answer = callers.home.send(
        [
            event("good"),
            event("bad", timestamp="18/05/2026"),
            {"type": "x y"},
            "text",
            event("good"),
            event("also"),
        ]
    )
    document = problem(answer, 422)
    assert document["accepted"] == 2
    assert document["refused"] == 4
    assert [(f["index"], f["field"]) for f in document["faults"]] == [
        (1, "timestamp"),
        (2, "id"),
        (2, "type"),
        (2, "timestamp"),
        (3, ""),
        (4, "id"),
    ]
    assert "twice" in document["faults"][-1]["detail"]
    assert [row.uid for row in callers.home.stored()] == ["also", "good"]


def test_of_very_many_faults_the_first_hundred_are_told(callers: Callers) -> None:
    document = problem(callers.home.send([{"id": str(n)} for n in range(200)]), 422)
    assert len(document["faults"]) == 100
    assert document["faultsLeftOut"] == 300


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"id": 7}, "id"),
        ({"id": ""}, "id"),
        ({"id": " x"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"type": "../x"}, "type"),
        ({"type": None}, "type"),
        ({"timestamp": "2026-05-18T18:00:13"}, "timestamp"),
        ({"timestamp": "2026-02-30T18:00:13Z"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp"),
        ({"timestamp": 1589259213}, "timestamp"),
        ({"subject": "x" * 301}, "subject"),
        ({"subject": ["x"]}, "subject"),
        ({"payload": [1]}, "payload"),
        ({"payload": {"x": "y" * 65_536}}, "payload"),
        ({"payload": {"x": "a\0b"}}, "payload"),
        ({"payload": {"a\0b": 1}}, "payload"),
        ({"payload": {"x": "\ud800"}}, "payload"),
        ({"payload": {"userDetail": {"ref1": 5}}}, "payload.userDetail.ref1"),
        ({"payload": {"title": {"en": "x"}}}, "payload.title"),
        ({"type": "courseAction", "payload": {"kind": "stop"}}, "payload.kind"),
        ({"stray": 1}, "stray"),
    ],
)
def test_a_fault_is_named_with_its_place(
    callers: Callers, members: dict[str, Any], field: str
) -> None:
    (fault,) = problem(callers.home.send(event(**members)), 422)["faults"]
    assert (fault["index"], fault["field"]) == (0, field)
    assert len(fault["detail"]) > 20
    assert callers.home.stored() == []


def resolved(document: Any, pointer: str) -> Any:
    """What an RFC 6901 reader finds. Raises LookupError where there is nothing."""
    assert pointer.startswith("#")
    for step in pointer.removeprefix("#").split("/")[1:]:
        name = unquote(step, errors="surrogatepass").replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


WRONG: list[tuple[Any, str]] = [
    (event(timestamp="18/05/2026"), "/timestamp"),
    ({"id": "a", "type": "x"}, ""),
    (event(payload={"userDetail": {"firstName": 5}}), "/payload/userDetail/firstName"),
    (event(payload=None, timestamp=5), "/timestamp"),
    (event(**{"a/b~c \u00e9": 1}), "/a~1b~0c%20%C3%A9"),
    (event(**{"long" * 100: 1}), ""),
    (event(**{"half \ud800": 1}), "/half%20%ED%A0%80"),
    ("text", ""),
    ({**event(), "payload": 7}, "/payload"),
]
FLAT = {name: value for name, value in event().items() if name != "payload"}
WRONG += [
    ({**FLAT, "userDetail": {"firstName": 5}}, "/userDetail/firstName"),
    ({**FLAT, "big": "x" * 65_536}, ""),
]


@pytest.mark.parametrize(("document", "place"), WRONG)
def test_a_pointer_leads_into_the_request_as_it_was_sent(
    callers: Callers, document: Any, place: str
) -> None:
    shapes = [([event("good"), document], "#/1"), ({"events": [document]}, "#/events/0")]
    for body, start in [*shapes, (document, "#")]:
        faults = problem(callers.home.send(body), 422)["faults"]
        assert start + place in {fault["pointer"] for fault in faults}
        for fault in faults:
            resolved(body, fault["pointer"])


def test_the_pointer_of_a_conflict_leads_to_the_id(callers: Callers) -> None:
    callers.home.send(event("e-1"))
    (fault,) = problem(callers.home.send(event("e-1", subject="kim")), 422)["faults"]
    assert fault["pointer"] == "#/id"


def nested(levels: int) -> bytes:
    return b'{"id":"a","type":"x","timestamp":"2026-01-01T00:00:00Z","payload":' + (
        b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )


def test_depth_is_bounded(callers: Callers) -> None:
    assert callers.home.send(nested(20)).status_code == 200
    (fault,) = problem(callers.home.send(nested(21)), 422)["faults"]
    assert "20 levels" in fault["detail"]
    assert problem(callers.home.send(nested(475)), 422)["faults"]
    for levels in (935, 993, 100_000):  # what the JSON reader itself refuses
        batch = b"[" + nested(1) + b",\n" + nested(levels) + b"]"
        assert "at line 2, character 1" in problem(callers.home.send(batch), 400)["detail"]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe{}", 400, "not UTF-8"),
        (b'{"id": NaN}', 400, "NaN"),
        (b"[" + b"1" * 5_000 + b"]", 400, "not JSON"),
        (b"[]", 422, "no events, expected 1 to 10,000."),
        (b"[" + b"{}," * 10_000 + b"{}]", 422, "10,001 events"),
        (b" " * (reading.LARGEST_BODY + 1), 413, "16,777,217 bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    callers: Callers, body: bytes, code: int, words: str
) -> None:
    assert words in problem(callers.home.send(body), code)["detail"]
    assert callers.home.stored() == []


def test_a_number_beyond_what_is_a_number_is_refused(callers: Callers) -> None:
    body = b'{"id":"a","type":"x","timestamp":"2026-01-01T00:00:00Z","payload":{"n":1e999}}'
    (fault,) = problem(callers.home.send(body), 422)["faults"]
    assert fault["field"] == "payload"


def test_another_content_type_is_refused(callers: Callers) -> None:
    for kind in ("text/csv", "application/x-www-form-urlencoded", "multipart/form-data"):
        document = problem(callers.home.send(b"a,b", content_type=kind), 415)
        assert "application/json" in document["detail"]


def test_other_methods_and_addresses_have_problems_too(callers: Callers) -> None:
    bearer = f"Bearer {callers.home.token}"
    problem(Client().delete("/api/v1/events/", HTTP_AUTHORIZATION=bearer), 405)
    problem(Client().get("/api/v1/nothing/", HTTP_AUTHORIZATION=bearer), 404)


def test_events_are_read_page_by_page_in_the_order_of_time(callers: Callers) -> None:
    sent = [
        event(f"e-{n}", timestamp=f"2026-05-{n % 3 + 1:02}T00:00:00+02:00") for n in range(1, 8)
    ]
    callers.home.send(sent)
    cursor, pages = "", []
    while True:
        document = callers.home.read(perPage=3, cursor=cursor).json()
        pages.append([row["id"] for row in document["events"]])
        assert document["pageInfo"]["total"] == 7
        assert document["pageInfo"]["hasMore"] is bool(document["pageInfo"]["cursor"])
        cursor = document["pageInfo"]["cursor"]
        if not cursor:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    assert {*pages[0][:2]} == {"e-3", "e-6"}
    assert sorted(uid for page in pages for uid in page) == [f"e-{n}" for n in range(1, 8)]


def test_a_read_event_can_be_sent_again(callers: Callers) -> None:
    callers.home.send(event())
    (read,) = callers.home.read().json()["events"]
    assert read["timestamp"] == "2026-05-18T18:00:13Z"
    for name in ("source", "receivedAt"):
        del read[name]
    assert callers.home.send(read).json() == {**NOTHING, "duplicates": 1}


def test_reading_is_narrowed_by_type_subject_and_time(callers: Callers) -> None:
    callers.home.send(
        [
            event("a", timestamp="2026-05-01T00:00:00Z"),
            event("b", timestamp="2026-05-02T00:00:00Z", type="free"),
            event("c", timestamp="2026-05-03T00:00:00Z", subject="kim@example.edu"),
        ]
    )

    def ids(**values: str) -> list[str]:
        return [row["id"] for row in callers.home.read(**values).json()["events"]]

    assert ids() == ["a", "b", "c"]
    assert ids(type="free") == ["b"]
    assert ids(subject="kim") == ["c"]
    assert ids(start="2026-05-02T00:00:00Z") == ["b", "c"]
    assert ids(end="2026-05-02T00:00:00Z") == ["a"]
    assert ids(start="2026-05-02T02:00:00+02:00", end="2026-05-03T00:00:00Z") == ["b"]


@pytest.mark.parametrize(
    "values",
    [
        {"start": "yesterday"},
        {"start": "2026-05-02"},
        {"end": "2026-13-02T00:00:00Z"},
        {"start": "0001-01-01T00:00:00Z"},
        {"cursor": "nonsense"},
        {"cursor": "WyIyMDI2LTA1LTAyIiwgMV0"},
        {"cursor": "W" * 90_000},
        {"perPage": "0"},
        {"perPage": "1001"},
        {"perPage": "\u0661"},
        {"type": "a\0b"},
        {"typ": "x"},
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(callers: Callers, values: dict[str, str]) -> None:
    (name,) = values
    assert name in problem(callers.home.read(**values), 400)["detail"]


def test_the_same_ten_thousand_sent_twice_at_once_are_stored_once(callers: Callers) -> None:
    """In opposite orders, which would deadlock if they were inserted as they come."""
    sent = [event(f"e-{n:05}") for n in range(10_000)]
    answers: list[Any] = []

    def send(body: list[dict[str, Any]]) -> None:
        answers.append(callers.home.send(body))
        connection.close()

    threads = [threading.Thread(target=send, args=(body,)) for body in (sent, sent[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    documents = [answer.json() for answer in answers]
    assert sum(document["accepted"] for document in documents) == 10_000
    assert sum(document["duplicates"] for document in documents) == 10_000
    assert len(callers.home.stored()) == 10_000


def test_the_schema_names_the_token_the_sizes_and_the_known_types() -> None:
    answer = Client().get("/api/v1/schema/?format=json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["info"]["version"] == portal.__version__
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert set(document["paths"]["/api/v1/events/"]) == {"get", "post"}
    assert "courseCertificate" in answer.content.decode()
    assert ".md" not in answer.content.decode(), "a file of the project that no caller has"
    assert "401" in document["paths"]["/api/v1/events/"]["post"]["responses"]
