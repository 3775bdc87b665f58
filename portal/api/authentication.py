"""Who calls: a bearer token, recognised before there is a tenant, counted in the one score."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.api.problems import Problem
from portal.models import ApiToken
from portal.people import scores, tokens
from portal.web import address

HOW = 'Send the header "Authorization: Bearer <token>". A tenant admin can create tokens.'


class Caller:
    """What takes the place of a user: a program with a token."""

    is_authenticated = True
    is_active = True

    def __init__(self, token: ApiToken) -> None:
        self.token = token
        self.pk = f"token {token.prefix}"

    def __str__(self) -> str:
        return f"token {self.token.name}"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; a session's cookie counts for nothing here."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiToken] | None:
        """The caller, or None without the header. Raises AuthenticationFailed, Throttled."""
        given = _bearer(request)
        if given is None:
            return None
        place, name = address.client(request._request), _counted_as(given)
        if wait := scores.blocked(place, name):
            raise Throttled(
                wait.total_seconds(), "Too many requests with a token that is not valid."
            )
        token = tokens.find(given)
        if token is None:
            scores.failed(place, name)
            raise AuthenticationFailed(
                "This token is not valid: it is misspelled, revoked or expired. A tenant "
                "admin can see and create tokens on the page “API tokens”."
            )
        scores.succeeded(place, name)
        return Caller(token), token

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return 'Bearer realm="Causeway"'


def _counted_as(token: str) -> str:
    """The name in the score. Tokens that nobody can hold share one."""
    return f"token {tokens.claimed_prefix(token) or '?'}"


def _bearer(request: Request) -> str | None:
    """The token in the header. Raises AuthenticationFailed for another kind of header."""
    words = get_authorization_header(request).split()
    if not words:
        return None
    if words[0].lower() != b"bearer" or len(words) != 2:
        raise AuthenticationFailed(f"This is not a bearer token. {HOW}")
    return words[1].decode("ascii", "replace")


class MayUse(BasePermission):
    """Whether the token has the scope that the view names for the method."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Raises Problem where the scope is missing."""
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        needed = getattr(view, "scopes", {}).get(request.method)
        if needed is not None and needed not in token.scopes:
            had = ", ".join(token.scopes) or "none"
            detail = f'This needs a token with the scope "{needed}"; this one has {had}.'
            raise Problem(403, detail, neededScope=needed)
        return True


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the token."""

    target_class = "portal.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Bearer, in OpenAPI's words."""
        return {"type": "http", "scheme": "bearer"}
