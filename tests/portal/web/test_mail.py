"""The page on which each member says what they are told by mail."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.urls import reverse

from portal import tenancy
from portal.models import AuditEntry, Membership, Notice
from portal.notify import audience
from tests.cast import Cast, as_person


def member(cast: Cast, name: str) -> Membership:
    return Membership.objects.get(tenant=cast.home, user=cast.person(name))


def switches(cast: Cast, name: str) -> list[bool | None]:
    own = member(cast, name)
    return [own.mail_unmatched, own.mail_held, own.mail_failed, own.mail_completed]


def page(cast: Cast, name: str) -> str:
    return as_person(cast, name).get(reverse("mail")).content.decode()


def save(cast: Cast, name: str, **chosen: str) -> HttpResponse:
    return as_person(cast, name).post(reverse("mail"), chosen)


def chosen(text: str, name: str) -> str:
    """The words of the option that is selected."""
    select = re.search(rf'<select name="{name}".*?</select>', text, re.DOTALL)
    assert select
    selected = re.search(r"<option[^>]* selected>([^<]*)<", select.group(0))
    assert selected
    return selected.group(1)


@pytest.mark.parametrize(("name", "held"), [("viewer", "off"), ("manager", "on")])
def test_nothing_chosen_shows_what_the_role_has(cast: Cast, name: str, held: str) -> None:
    text = page(cast, name)
    assert chosen(text, "mail_held") == f"Default for my role: {held}"
    assert chosen(text, "mail_failed") == f"Default for my role: {held}"
    assert chosen(text, "mail_unmatched") == "Default for my role: off"
    assert chosen(text, "mail_completed") == "Default for my role: off"


def test_a_choice_is_kept_shown_and_heeded(cast: Cast) -> None:
    notice = Notice(tenant=cast.home, event=Notice.Event.HELD)
    assert audience.wants(member(cast, "manager"), notice)
    answer = save(cast, "manager", mail_held="off", mail_completed="on")
    assert answer.status_code == 302
    assert switches(cast, "manager") == [None, False, None, True]
    assert not audience.wants(member(cast, "manager"), notice)
    text = page(cast, "manager")
    assert (chosen(text, "mail_held"), chosen(text, "mail_completed")) == ("Off", "On")
    with tenancy.everyone("a test looks"):
        assert AuditEntry.objects.get().action == "member.mail"


def test_a_choice_can_be_left_to_the_role_again(cast: Cast) -> None:
    save(cast, "viewer", mail_failed="on")
    assert switches(cast, "viewer") == [None, None, True, None]
    save(cast, "viewer", mail_failed="")
    assert switches(cast, "viewer") == [None, None, None, None]


def test_nobody_switches_for_anybody_else(cast: Cast) -> None:
    save(cast, "viewer", mail_held="on")
    assert switches(cast, "manager") == [None] * 4
    assert switches(cast, "admin") == [None] * 4


def test_an_admin_cannot_switch_the_mail_about_unmatched_files_off(cast: Cast) -> None:
    text = page(cast, "admin")
    assert 'name="mail_unmatched"' not in text
    assert "Always on: a tenant admin is notified" in text
    save(cast, "admin", mail_unmatched="off")
    assert switches(cast, "admin") == [None] * 4


def test_a_choice_that_does_not_exist_is_refused(cast: Cast) -> None:
    assert save(cast, "viewer", mail_held="maybe").status_code == 422
    assert switches(cast, "viewer") == [None] * 4


def test_an_operator_who_is_no_member_is_told_so(cast: Cast) -> None:
    assert "You are not a member of this institution" in page(cast, "operator")
    assert save(cast, "operator", mail_held="on").status_code == 200


def test_the_page_is_in_the_menu_of_the_person(cast: Cast) -> None:
    jobs = as_person(cast, "viewer").get(reverse("jobs")).content.decode()
    assert f'href="{reverse("mail")}"' in jobs
