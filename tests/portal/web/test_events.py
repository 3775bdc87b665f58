"""The events' pages: newest first, filters, slices, one event with nothing hidden in it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.browser import seed
from tests.cast import Cast, as_person


def page(cast: Cast, address: str = "events", /, *args: int, **values: str) -> str:
    answer = as_person(cast, "viewer").get(reverse(address, args=args), values)
    assert answer.status_code == 200
    return answer.content.decode()


def uids(text: str) -> list[str]:
    return re.findall(r'<span class="sub break"><bdi>([^<]+)</bdi>', text)


def test_an_institution_without_events_is_told_how_they_come(cast: Cast) -> None:
    text = page(cast)
    assert "No events yet" in text
    assert "curl" in text
    assert "/api/v1/events/" in text


def test_the_newest_come_first_in_slices_that_lead_there_and_back(cast: Cast) -> None:
    seed.everything(cast, jobs=0)
    first = page(cast)
    slices = [uids(first)]
    text = first
    while link := re.search(r'rel="next" href="\?after=([^"&]+)"', text):
        text = page(cast, after=link[1])
        slices.append(uids(text))
    assert [len(part) for part in slices] == [50, 50, 22]
    assert len({uid for part in slices for uid in part}) == 122
    assert slices[0][0] == "import-0"
    back = re.search(r'rel="prev" href="\?before=([^"&]+)"', text)
    assert back
    assert uids(page(cast, before=back[1])) == slices[1]


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"type": "courseAction"}, 40),
        ({"source": "portal"}, 1),
        ({"subject": "LEARNER11@"}, 1),
        ({"since": "2026-05-28", "until": "2026-05-28"}, 4),
        ({"type": "nothing"}, 0),
    ],
)
def test_filters_narrow_the_list(cast: Cast, values: dict[str, str], count: int) -> None:
    seed.everything(cast, jobs=0)
    text = page(cast, **values)
    assert len(uids(text)) == count
    assert ("No events match" in text) is (count == 0)


@pytest.mark.parametrize(
    "values",
    [{"after": "x"}, {"before": "W10"}, {"since": "x"}, {"subject": "\0"}, {"until": "9999-12-31"}],
)
def test_a_strange_address_is_no_error(cast: Cast, values: dict[str, str]) -> None:
    seed.everything(cast, jobs=0)
    page(cast, **values)


def test_one_event_hides_nothing(cast: Cast) -> None:
    rows = seed.everything(cast, jobs=0)
    text = page(cast, "event", rows["event"].pk)
    assert "<script>window" not in text
    assert "\\u202e" in text
    assert "\u202e" not in text
