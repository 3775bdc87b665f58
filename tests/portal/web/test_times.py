"""Every time on a page names its zone, and that is the institution's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation

from imports.models import ImportJob
from portal import tenancy
from portal.web import tags
from tests.cast import Cast, as_person

ROOT = Path(settings.BASE_DIR)
# A filter that shows hours or minutes without a zone. Days have none.
CLOCK_FILTER = re.compile(r"\|(?:time\b|date:_?\(?\"[^\"]*[GgHhiPfs][^\"]*\")")
CLOCK_FORMAT = re.compile(r"%H:%M|%I:%M|[\"'][^\"']*\b[GHgh]:i[^\"']*[\"']")
ZONE = re.compile(r"%Z|zone")
# They name columns of files, parts of file names, or a clock time with its zone beside it.
WITHOUT_A_ZONE = {
    "exports/forms.py",  # the field of an export's time of day; the zone is the field beside it
    "imports/web/wizard/step_form.py",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_times_before_and_after_a_clock_change_are_told_apart() -> None:
    with timezone.override("America/New_York"), translation.override("en"):
        first, second = at("2026-11-01T05:30:00"), at("2026-11-01T06:30:00")
        assert [tags.moment_text(value) for value in (first, second)] == [
            f"Nov 1{year(first)}, 01:30 EDT",
            f"Nov 1{year(second)}, 01:30 EST",
        ]
        assert ["EDT</time>" in tags.exactly(value) for value in (first, second)] == [True, False]


def year(value: datetime) -> str:
    return "" if value.year == timezone.localtime().year else f", {value.year}"


def test_the_zone_stands_in_each_value_in_every_language() -> None:
    for language, _name in settings.LANGUAGES:
        for name, sign in (("America/Chicago", "CST"), ("Asia/Kolkata", "IST"), ("UTC", "UTC")):
            with timezone.override(name), translation.override(language):
                for value in (at("2020-01-15T18:00:00"), timezone.now().replace(month=1, day=15)):
                    assert sign in tags.moment(value), (language, name)
                    assert f">{tags.moment_text(value)}</time>" in tags.moment(value)
                    assert sign in tags.exactly(value)


def test_a_page_names_the_zone_of_its_institution_and_its_list_has_no_other(cast: Cast) -> None:
    with tenancy.everyone("a test seeds its page"):
        ImportJob.objects.create(
            tenant=cast.home, file_name="a.csv", feed="accounts", record_type="accounts",
            created_at=at("2020-07-15T18:00:00"), state=ImportJob.State.COMPLETE,
        )  # fmt: skip
    for person, zone, time in (
        ("viewer", "America/Chicago", "13:00 CDT"),
        ("outsider", "America/New_York", ""),
    ):
        text = as_person(cast, person).get(reverse("jobs")).content.decode()
        assert f"Times: {zone}" in text
        assert time in text
    words = as_person(cast, "viewer").get(reverse("jobs")).content.decode()
    clocks = re.findall(r">([^<>]*\d\d:\d\d[^<>]*)</time>", words)
    assert clocks
    assert all(clock.endswith(("CDT", "CST")) for clock in clocks), clocks


def test_no_template_shows_a_clock_time_without_its_zone() -> None:
    paths = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    assert len(paths) > 100
    bare = {
        path.relative_to(ROOT).as_posix(): filters
        for path in paths
        if (filters := CLOCK_FILTER.findall(path.read_text(encoding="utf-8")))
    }
    assert bare == {}


def clock_lines(text: str) -> list[str]:
    return [
        line.strip()
        for line in text.splitlines()
        if CLOCK_FORMAT.search(line) and not ZONE.search(line)
    ]


def test_no_page_mail_or_receipt_writes_a_clock_time_without_its_zone() -> None:
    rooms = ("portal/web", "portal/notify", "imports/web", "imports/collect", "imports/arrivals",
             "imports/jobs", "exports")  # fmt: skip
    bare = {
        name: lines
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        if (name := path.relative_to(ROOT).as_posix()) not in WITHOUT_A_ZONE
        and (lines := clock_lines(path.read_text(encoding="utf-8")))
    }
    assert bare == {}


@pytest.mark.parametrize(
    "code", ['f"{at:%Y-%m-%d %H:%M}"', 'date_format(local, "M j, H:i")', "_('M j, H:i')"]
)
def test_a_clock_time_without_a_zone_is_noticed(code: str) -> None:
    assert clock_lines(code)


@pytest.mark.parametrize("code", ['f"{at:%H:%M} {at:%Z}"', '_zoned(at, "H:i")', 'f"{at:%Y-%m-%d}"'])
def test_a_clock_time_with_its_zone_and_a_day_are_not(code: str) -> None:
    assert not clock_lines(code)


@pytest.mark.parametrize(
    ("code", "count"),
    [('{{ x|date:_("M j, H:i") }}', 1), ("{{ x|time }}", 1), ('{{ x|date:"Y-m-d" }}', 0)],
)
def test_a_filter_without_a_zone_is_noticed(code: str, count: int) -> None:
    assert len(CLOCK_FILTER.findall(code)) == count
