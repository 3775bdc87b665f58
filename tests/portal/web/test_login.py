"""Logging in: the right password, the wrong one, and one too many of them."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.contrib.auth import authenticate
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.test import RequestFactory

from portal.models import User
from portal.web import login as login_module
from portal.web.login import LoginForm, ScoredBackend

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_and_strict(settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LOGIN_FAILURES = 3


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.org", PASSWORD)


def request(address: str = "192.0.2.1", **headers: str) -> HttpRequest:
    return RequestFactory().post("/login", REMOTE_ADDR=address, **headers)


def login(password: str, name: str = "ada@example.org", **where: str) -> object:
    return authenticate(request(**where), username=name, password=password)


def test_few_passwords_are_hashed_at_once_and_who_waits_too_long_is_told(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_module, "_PATIENCE", 0.01)
    with login_module._HASHING, login_module._HASHING:
        asked = request()
        assert authenticate(asked, username="ada@example.org", password=PASSWORD) is None
        assert "Try again in a minute" in asked.login_refused  # type: ignore[attr-defined]
    assert login(PASSWORD) == ada


def test_the_right_password_lets_in_whatever_the_case_of_the_address(ada: User) -> None:
    assert login(PASSWORD, name=" Ada@Example.ORG ") == ada


@pytest.mark.parametrize(
    "name", ["ada@example.org", "nobody@example.org", "a\x00b", "\udcff", "x" * 9000]
)
def test_a_wrong_password_or_name_is_refused_alike(ada: User, name: str) -> None:
    assert login("wrong", name=name) is None


def test_a_person_who_is_not_active_stays_out(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert login(PASSWORD) is None


def test_after_too_many_failures_even_the_right_password_must_wait(ada: User) -> None:
    for _ in range(3):
        login("wrong")
    assert login(PASSWORD) is None
    with pytest.raises(PermissionDenied, match="wait 10 minutes"):
        ScoredBackend().authenticate(request(), username=ada.email, password=PASSWORD)


def test_the_form_says_how_long_to_wait(ada: User) -> None:
    for _ in range(3):
        login("wrong")
    form = LoginForm(request(), {"username": ada.email, "password": PASSWORD})
    assert not form.is_valid()
    assert form.non_field_errors() == [
        "Too many failed logins. Please wait 10 minutes and try again."
    ]


def test_another_address_is_not_concerned(ada: User) -> None:
    for _ in range(3):
        login("wrong")
    assert login(PASSWORD, address="192.0.2.2") == ada


def test_behind_a_proxy_the_address_that_it_added_counts(ada: User, settings: LazySettings) -> None:
    settings.BEHIND_PROXY = True
    for number in range(3):
        login("wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 198.51.100.1")
    assert login(PASSWORD, HTTP_X_FORWARDED_FOR="198.51.100.1") is None
    assert login(PASSWORD, HTTP_X_FORWARDED_FOR="198.51.100.2") == ada


def test_without_a_proxy_nobody_chooses_their_own_address(ada: User) -> None:
    for number in range(3):
        login("wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert login(PASSWORD) is None
