"""The score of failed logins: it bans an address for a name, and never a name as such."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connection

from portal.models import LoginScore
from portal.people import scores

HERE, THERE = "192.0.2.1", "198.51.100.7"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_failures(settings: LazySettings) -> None:
    settings.LOGIN_FAILURES = 3
    settings.LOGIN_BAN_SECONDS = 600


def fail(times: int, address: str = HERE, name: str = "ada") -> None:
    for _ in range(times):
        scores.failed(address, name)


def fail_from_everywhere(times: int, name: str = "ada") -> None:
    for number in range(times):
        scores.failed(f"203.0.113.{number}", name)


def later(seconds: int) -> None:
    """Let time pass: every stored instant moves into the past."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portal_loginscore SET last_at = last_at - %s, banned_until = banned_until - %s",
            [timedelta(seconds=seconds)] * 2,
        )


def test_an_address_may_try_until_it_has_failed_often_enough() -> None:
    fail(2)
    assert scores.blocked(HERE, "ada") is None
    fail(1)
    wait = scores.blocked(HERE, "ada")
    assert wait is not None
    assert timedelta(seconds=590) < wait <= timedelta(seconds=600)


def test_a_ban_holds_for_that_address_and_that_name_only() -> None:
    fail(3)
    assert scores.blocked(THERE, "ada") is None
    assert scores.blocked(HERE, "grace") is None


def test_an_address_that_fails_for_many_names_is_banned_for_all_that_it_does_not_know() -> None:
    scores.succeeded(HERE, "grace")
    for name in ("ada", "emmy"):
        fail(1, name=name)
    assert scores.blocked(HERE, "alan") is None
    fail(1, name="kurt")
    wait = scores.blocked(HERE, "alan")
    assert wait is not None
    assert timedelta(seconds=590) < wait <= timedelta(seconds=600)
    assert scores.blocked(HERE, "grace") is None, "she has logged in from there"
    assert scores.blocked(THERE, "alan") is None
    assert scores.blocked("192.0.2.10", "alan") is None, "another address that begins alike"
    later(601)
    assert scores.blocked(HERE, "alan") is None


def test_people_behind_one_address_who_mistype_and_log_in_do_not_ban_each_other() -> None:
    for name in ("ada", "emmy", "kurt", "alan", "grace"):
        fail(1, name=name)
        scores.succeeded(HERE, name)
    assert scores.blocked(HERE, "noether") is None


def test_a_ban_ends_and_a_new_count_begins() -> None:
    fail(3)
    later(601)
    assert scores.blocked(HERE, "ada") is None
    fail(2)
    assert scores.blocked(HERE, "ada") is None


def test_failures_during_a_ban_do_not_prolong_it() -> None:
    fail(3)
    later(500)
    fail(5)
    wait = scores.blocked(HERE, "ada")
    assert wait is not None
    assert wait <= timedelta(seconds=100)


def test_one_failure_may_be_enough(settings: LazySettings) -> None:
    settings.LOGIN_FAILURES = 1
    fail(1)
    assert scores.blocked(HERE, "ada") is not None


def test_success_forgives_the_address_its_failures() -> None:
    fail(2)
    scores.succeeded(HERE, "ada")
    fail(2)
    assert scores.blocked(HERE, "ada") is None


def test_failures_from_everywhere_only_slow_a_name_down() -> None:
    fail_from_everywhere(15)
    wait = scores.blocked(THERE, "ada")
    assert wait is not None
    assert wait <= timedelta(seconds=1)


def test_the_pause_of_a_name_grows_to_half_a_minute_and_no_further() -> None:
    for _ in range(40):
        fail_from_everywhere(1)
        later(31)
        assert scores.blocked(THERE, "ada") is None
    fail_from_everywhere(1)
    wait = scores.blocked(THERE, "ada")
    assert wait is not None
    assert timedelta(seconds=25) < wait <= timedelta(seconds=30)


def test_an_address_known_for_the_name_is_spared_the_pause() -> None:
    scores.succeeded(THERE, "ada")
    fail_from_everywhere(15)
    assert scores.blocked(HERE, "ada") is not None
    assert scores.blocked(THERE, "ada") is None


def test_an_address_is_known_for_thirty_days_though_nothing_swept_it() -> None:
    scores.succeeded(THERE, "ada")
    later(scores.KNOWN_FOR.days * 86_400 + 60)
    fail_from_everywhere(15)
    assert scores.blocked(THERE, "ada") is not None


def test_a_known_address_is_still_banned_for_its_own_failures() -> None:
    scores.succeeded(HERE, "ada")
    fail(3)
    assert scores.blocked(HERE, "ada") is not None


def test_names_compare_without_case_and_outer_blanks() -> None:
    fail(3, name=" ADA ")
    assert scores.blocked(HERE, "ada") is not None


@pytest.mark.parametrize(
    "name", ["", "\x00", "a" * 5000, "\udcff", f"{HERE}|ada", f"={HERE}|ada", "#x", "İ" * 150]
)
def test_a_strange_name_counts_like_any_other(name: str) -> None:
    fail(3, name=name)
    assert scores.blocked(HERE, name) is not None
    assert scores.blocked(HERE, "ada") is None


@pytest.mark.parametrize(
    ("first", "other"),
    [("2001:db8::1", "2001:db8::ffff"), ("::ffff:192.0.2.1", HERE), ("fe80::1%eth0", "fe80::2")],
)
def test_one_customers_addresses_are_one(first: str, other: str) -> None:
    fail(3, address=first)
    assert scores.blocked(other, "ada") is not None


def test_an_address_that_is_none_is_counted_too() -> None:
    fail(3, address="not an address")
    assert scores.blocked("", "ada") is not None
    assert scores.blocked(HERE, "ada") is None


def test_what_no_longer_matters_is_deleted() -> None:
    fail(3)
    scores.succeeded(THERE, "ada")
    assert scores.expire() == 0
    later(601)
    assert scores.expire() == 2
    assert LoginScore.objects.count() == 1
    later(31 * 24 * 3600)
    assert scores.expire() == 1
