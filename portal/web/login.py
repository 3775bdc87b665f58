"""The login to the pages: e-mail and password, with the score that all protocols share."""

from __future__ import annotations

import math
import threading
from datetime import timedelta
from typing import Any, NoReturn

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.models import User
from portal.people import scores
from portal.web import address

_HASHING = threading.BoundedSemaphore(2)  # of one process: an argon2 hash needs 100 MiB
_PATIENCE = 5.0  # seconds


class ScoredBackend(BaseBackend):
    """A backend that checks e-mail and password with equal work for unknown people.

    Raises PermissionDenied, with words for the person, if the score says to wait. Django's
    `authenticate` catches it, so the words are also in `request.login_refused`.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_kwargs: Any,
    ) -> User | None:
        if not username or password is None:
            return None
        place = address.client(request) if request else ""
        if wait := scores.blocked(place, username):
            words = _("Too many failed logins. Please wait %(time)s and try again.")
            _refuse(request, words % {"time": _time(wait)})
        if not _HASHING.acquire(timeout=_PATIENCE):
            _refuse(request, _("Many people are logging in just now. Try again in a minute."))
        try:
            user = _user(username, password)
        finally:
            _HASHING.release()
        if user is None:
            scores.failed(place, username)
        else:
            scores.succeeded(place, username)
        return user

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()


class LoginForm(AuthenticationForm):
    """The login form, which says how long to wait if the score refuses."""

    def get_invalid_login_error(self) -> ValidationError:
        words = getattr(self.request, "login_refused", "")
        if words:
            return ValidationError(words, code="wait")
        return super().get_invalid_login_error()


def _user(username: str, password: str) -> User | None:
    email = username.strip().lower()
    user = None
    if email.isprintable():  # PostgreSQL takes neither NUL nor half a surrogate pair
        user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        User().set_password(password)
        return None
    return user if user.check_password(password) else None


def _refuse(request: HttpRequest | None, words: str) -> NoReturn:
    if request is not None:
        request.login_refused = words  # type: ignore[attr-defined]
    raise PermissionDenied(words)


def _time(wait: timedelta) -> str:
    seconds = math.ceil(wait.total_seconds())
    if seconds <= 60:
        return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
