"""Logging in to the pages: e-mail and password, with the score that all protocols share."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from portal.models import User


class ScoredBackend(BaseBackend):
    """Checks an e-mail and password with equal work for unknown people."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_kwargs: Any,
    ) -> User | None:
        if not username or password is None:
            return None
        user = User.objects.filter(email=username.strip().lower(), is_active=True).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
