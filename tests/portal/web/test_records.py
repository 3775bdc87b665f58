"""Browsing the record store: counts, pages by key, search, one record."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from portal import tenancy
from portal.models import Record, RecordKind
from portal.records import search
from portal.slices import Slice
from tests.browser import seed
from tests.cast import Cast, as_person


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed.everything(cast, jobs=0)


def keys(cast: Cast, person: str = "viewer", **query: str) -> list[str]:
    answer = as_person(cast, person).get(reverse("record-type", args=["accounts"]), query)
    assert answer.status_code == 200
    return [record.key for record, _cells in answer.context["rows"]]


def test_types_show_how_many_records_they_have(cast: Cast, rows: dict[str, Any]) -> None:
    text = as_person(cast, "viewer").get(reverse("records")).content.decode()
    assert "130" in text
    assert "Campus core data" in text
    assert "130" not in as_person(cast, "outsider").get(reverse("records")).content.decode()


def test_pages_go_forth_and_back_by_key_without_a_gap(cast: Cast, rows: dict[str, Any]) -> None:
    first = keys(cast)
    second = keys(cast, after=first[-1])
    third = keys(cast, after=second[-1])
    assert [len(first), len(second), len(third)] == [50, 50, 30]
    assert [*first, *second, *third] == [f"{n:08}" for n in range(130)]
    assert keys(cast, before=third[0]) == second
    assert keys(cast, before=second[0]) == first


def test_another_tenant_sees_none_of_them(cast: Cast, rows: dict[str, Any]) -> None:
    assert keys(cast, "outsider") == []
    assert keys(cast, "outsider", q="0000") == []
    assert keys(cast, "outsider", q="person", everywhere="1") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "0000001"}, [f"{n:08}" for n in range(10, 20)]),
        ({"q": " 00000012 "}, ["00000012"]),
        ({"q": "PERSON12@harbor"}, ["00000012"]),
        ({"q": "person12@harbor", "everywhere": "1"}, ["00000012"]),
        ({"q": '<img src=x onerror="'}, ["00000000"]),
        ({"q": "%"}, []),
        ({"q": "nobody\x00"}, []),
    ],
)
def test_search_finds_by_key_first_and_then_in_any_field(
    cast: Cast, rows: dict[str, Any], query: dict[str, str], expected: list[str]
) -> None:
    assert keys(cast, **query) == expected


def test_keys_are_searched_without_case_where_the_type_folds_them() -> None:
    assert search.key_prefix(" ABC / Def", fold=True) == "abc\x1fdef"
    assert search.key_prefix("ABC", fold=False) == "ABC"


def test_a_search_that_takes_too_long_is_stopped_and_says_so(
    cast: Cast, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = RecordKind.objects.get(name="accounts")
    with (
        tenancy.scope(cast.home.pk),
        pytest.raises(search.TooSlow),
        search._at_most(1.0),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(30)")

    def slow(*_args: Any, **_kwargs: Any) -> Slice[Record]:
        raise search.TooSlow

    monkeypatch.setattr(search, "search", slow)
    page = as_person(cast, "viewer").get(
        reverse("record-type", args=["accounts"]), {"q": "x", "everywhere": "1"}
    )
    assert "This search takes too long" in page.content.decode()
    with tenancy.scope(cast.home.pk):
        assert Record.objects.filter(kind=kind).exists()


def test_counts_that_take_too_long_become_estimates(
    cast: Cast, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never:
        def __enter__(self) -> None:
            raise search.TooSlow

        def __exit__(self, *_error: object) -> None: ...

    monkeypatch.setattr(search, "_at_most", lambda _seconds: Never())
    with tenancy.scope(cast.home.pk):
        counts = search.counts(cast.home)
    assert all(not count.exact for count in counts.values())


def test_a_record_shows_every_field_and_its_jobs(cast: Cast, rows: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    url = reverse("record", args=["accounts", rows["record"].pk])
    text = client.get(url).content.decode()
    assert "person0@harbor.example" in text
    assert "<img src=x" not in text
    by_number = reverse("job-by-number", args=[rows["complete"].pk])
    assert by_number in text
    assert client.get(by_number).headers["Location"] == reverse("job", args=[rows["complete"].uid])


def test_a_record_is_found_under_its_own_type_only(cast: Cast, rows: dict[str, Any]) -> None:
    client = as_person(cast, "viewer")
    for address in (["courses", rows["record"].pk], ["nonsense", rows["record"].pk]):
        assert client.get(reverse("record", args=address)).status_code == 404
