"""The frame: logging in and out, changing the tenant, pages for what went wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal import tasks
from portal.web import tags
from tests.cast import PASSWORD, Cast, as_person


def test_logging_in_leads_to_the_jobs(cast: Cast) -> None:
    data = {"username": " Viewer@Harbor.example", "password": PASSWORD}
    answer = Client().post(reverse("login"), data, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("jobs")
    assert "Harbor State University" in answer.content.decode()


def test_a_wrong_password_and_an_unknown_person_get_the_same_words(cast: Cast) -> None:
    words = set()
    for name in ("viewer@harbor.example", "nobody@harbor.example"):
        answer = Client().post(reverse("login"), {"username": name, "password": "wrong"})
        assert answer.status_code == 200
        words.add(str(answer.context["form"].non_field_errors()))
    assert len(words) == 1
    assert "do not match" in words.pop()


def test_too_many_failures_are_told_to_wait(cast: Cast, settings: LazySettings) -> None:
    settings.LOGIN_FAILURES = 2
    data = {"username": "viewer@harbor.example", "password": "wrong"}
    for _attempt in range(3):
        answer = Client().post(reverse("login"), data)
    assert "Please wait" in answer.content.decode()


def test_the_next_address_after_the_login_is_never_a_foreign_one(cast: Cast) -> None:
    data = {"username": "viewer@harbor.example", "password": PASSWORD}
    answer = Client().post(reverse("login") + "?next=https://evil.example/", data)
    assert answer.headers["Location"] == reverse("home")


def test_a_live_part_whose_session_ended_sends_its_page_to_the_login(cast: Cast) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/jobs/?status=failed"}
    answer = Client().get(reverse("login"), headers=headers)
    assert answer.headers["HX-Redirect"] == "/login/?next=%2Fjobs%2F%3Fstatus%3Dfailed"


def test_the_log_has_no_query_strings(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        as_person(cast, "viewer").get(reverse("jobs"), {"q": "Canary Lovelace"})
    assert "GET /jobs/" in caplog.text
    assert "Canary" not in caplog.text


def test_expired_sessions_are_deleted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's own is in use
    as_person(cast, "viewer")
    as_person(cast, "admin")
    Session.objects.filter(pk=Session.objects.first().pk).update(  # type: ignore[union-attr]
        expire_date=timezone.now() - timedelta(seconds=1)
    )
    tasks.forget_sessions()
    assert Session.objects.count() == 1


def test_logging_out_ends_the_session(cast: Cast) -> None:
    client = as_person(cast, "viewer")
    client.post(reverse("logout"))
    assert client.get(reverse("jobs")).status_code == 302


def test_the_operator_changes_the_tenant(cast: Cast) -> None:
    client = as_person(cast, "operator")
    client.post(reverse("switch-tenant"), {"tenant": str(cast.abroad.uid)})
    assert client.get(reverse("jobs")).context["tenant"] == cast.abroad
    client.post(reverse("switch-tenant"), {"tenant": str(cast.home.uid)})
    assert client.get(reverse("jobs")).context["tenant"] == cast.home


@pytest.mark.parametrize("uid", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_tenant_that_is_not_there_cannot_be_chosen(cast: Cast, uid: str) -> None:
    answer = as_person(cast, "operator").post(reverse("switch-tenant"), {"tenant": uid})
    assert answer.status_code == 404


def test_pages_have_the_strict_policy_and_obey_it(cast: Cast) -> None:
    answer = as_person(cast, "admin").get(reverse("jobs"))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    text = answer.content.decode()
    assert " style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=")


def test_error_pages_have_the_products_look(cast: Cast) -> None:
    missing = as_person(cast, "viewer").get("/nothing/here/")
    assert missing.status_code == 404
    assert "Page not found" in missing.content.decode()
    denied = as_person(cast, "viewer").get(reverse("accounts"))
    assert "Tenant admin" in denied.content.decode()
    assert "Your files are safe" in render_to_string("500.html")


def test_a_state_that_has_no_look_of_its_own_is_shown_all_the_same() -> None:
    shown = tags.pill("a_state_of_tomorrow", "Tomorrow")
    assert "Tomorrow</span>" in shown
    assert "<svg" in shown
