"""The card with the addresses that an account may log in from."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.urls import reverse

from portal import tenancy
from portal.changes import fingerprint
from portal.models import Account, AuditEntry
from tests.cast import Cast, as_person


def stored(cast: Cast) -> list[str]:
    with tenancy.everyone("a test looks"):
        return list(Account.objects.get(pk=cast.account.pk).allowed_networks)


def save(cast: Cast, *lines: str, seen: list[str] | None = None) -> HttpResponse:
    data = {
        "addresses": "\r\n".join(lines),
        "seen": fingerprint(stored(cast) if seen is None else seen),
    }
    address = reverse("account-addresses", args=[cast.account.pk])
    return as_person(cast, "admin").post(address, data, follow=True)


def errors(answer: HttpResponse) -> list[str]:
    text = answer.content.decode()
    parts = re.findall(r'id="id_addresses_error">(.*?)</p>', text, re.DOTALL)
    return [re.sub(r"<svg.*?</svg>|<[^>]+>|\s+", " ", part).strip() for part in parts]


def page(cast: Cast, name: str = "account") -> str:
    args = [cast.account.pk] if name == "account" else []
    return as_person(cast, "admin").get(reverse(name, args=args)).content.decode()


def test_the_admin_limits_an_account_and_lifts_the_limit(cast: Cast) -> None:
    assert "The account can log in from anywhere." in page(cast)
    answer = save(cast, "203.0.113.0/24", "", "::ffff:10.0.0.5", " 10.0.0.5 ")
    text = answer.content.decode()
    assert "Saved. It applies to the next login." in text
    assert "The account can log in only from these addresses." in text
    assert stored(cast) == ["203.0.113.0/24", "10.0.0.5"]
    assert "203.0.113.0/24\n10.0.0.5</textarea>" in text
    assert "only from its allowed addresses" in page(cast, "accounts")
    save(cast, "", "  ")
    assert stored(cast) == []
    assert "only from its allowed addresses" not in page(cast, "accounts")
    with tenancy.everyone("a test looks"):
        entries = AuditEntry.objects.filter(action="account.addresses").order_by("id")
        changes = [(e.user, e.subject, e.detail["old"], e.detail["new"]) for e in entries]
    networks = ["203.0.113.0/24", "10.0.0.5"]
    assert changes == [
        (cast.admin, "harbor-sis", [], networks),
        (cast.admin, "harbor-sis", networks, []),
    ]


def test_the_page_says_that_open_sessions_stay_open(cast: Cast) -> None:
    sentence = "A session that is open stays open until it ends."
    text = " ".join(page(cast).split())
    assert f"A change applies to the next login. {sentence}" in text
    assert text.count("A session that is open stays open until it") == 2, "Disabling says so too."


def test_each_wrong_line_is_named_with_its_number_and_nothing_is_saved(cast: Cast) -> None:
    answer = save(cast, "10.0.0.1", "", "<b>here</b>", "10.0.0.5/8")
    assert answer.status_code == 422
    first, second = errors(answer)
    assert first.startswith("Line 3: Found “&lt;b&gt;here&lt;/b&gt;”, expected one IP address")
    assert second.startswith("Line 4: Found “10.0.0.5/8”")
    assert "the network 10.0.0.0/8 (16,777,216 addresses) or the address 10.0.0.5" in second
    assert "10.0.0.5/8</textarea>" in answer.content.decode()
    assert stored(cast) == []


def test_more_than_a_hundred_are_refused(cast: Cast) -> None:
    answer = save(cast, *(f"10.0.0.{n}" for n in range(101)))
    assert errors(answer) == ["Found 101 addresses, expected at most 100. Name networks instead."]


def test_the_second_of_two_who_change_them_keeps_what_they_entered(cast: Cast) -> None:
    save(cast, "10.0.0.1")
    answer = save(cast, "10.0.0.2", seen=[])
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else has changed this since you opened the page" in text
    assert "10.0.0.2</textarea>" in text
    assert stored(cast) == ["10.0.0.1"]
    seen = re.search(r'name="seen" value="(\w+)"', text)
    assert seen
    data = {"addresses": "10.0.0.2", "seen": seen.group(1)}
    as_person(cast, "admin").post(reverse("account-addresses", args=[cast.account.pk]), data)
    assert stored(cast) == ["10.0.0.2"]


def test_a_page_without_what_it_showed_saves_nothing(cast: Cast) -> None:
    address = reverse("account-addresses", args=[cast.account.pk])
    answer = as_person(cast, "admin").post(address, {"addresses": "10.0.0.1"})
    assert answer.status_code == 422
    assert "The page is incomplete. Reload it." in answer.content.decode()
    assert stored(cast) == []


@pytest.mark.parametrize("networks", ["", {"a": 1}, ["nonsense"]])
def test_what_is_stored_and_cannot_be_read_is_shown_as_a_limit(
    cast: Cast, networks: object
) -> None:
    with tenancy.everyone("a test stores what no page would"):
        Account.objects.filter(pk=cast.account.pk).update(allowed_networks=networks)
    assert "The account can log in only from these addresses." in page(cast)
    assert "only from its allowed addresses" in page(cast, "accounts")
