"""The caller of the API: a bearer token, looked up before there is a tenant, and its failures."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.api.problems import ApiProblem
from portal.models import ApiToken
from portal.people import scores, tokens
from portal.web import address

HOW = 'Send the header "Authorization: Bearer <token>". A tenant admin can create tokens.'


class Caller:
    """A program with a token, in the place of a user."""

    is_authenticated = True
    is_active = True

    def __init__(self, token: ApiToken) -> None:
        self.token = token
        self.pk = f"token {token.prefix}"

    def __str__(self) -> str:
        return f"token {self.token.name}"


class TokenAuthentication(BaseAuthentication):
    """Authentication by `Authorization: Bearer <token>`; session cookies are ignored."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiToken] | None:
        """The caller, or None without the header. Raises AuthenticationFailed, Throttled."""
        credential = _bearer(request)
        if credential is None:
            return None
        place, name = address.client(request._request), _counted_as(credential)
        if wait := scores.blocked(place, name):
            raise Throttled(
                wait.total_seconds(), "Too many requests with a token that is not valid."
            )
        token = tokens.find(credential)
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
    """The name in the score. Texts that cannot be tokens share one name."""
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
    """The permission of a token that has the scope which the view names for the method."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Whether there is a token. Raises ApiProblem if the scope is missing."""
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        needed = getattr(view, "scopes", {}).get(request.method)
        if needed is not None and needed not in token.scopes:
            scopes = ", ".join(token.scopes) or "none"
            detail = f'This needs a token with the scope "{needed}"; this one has {scopes}.'
            raise ApiProblem(403, detail, neededScope=needed)
        return True


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The token in the schema."""

    target_class = "portal.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The OpenAPI definition of a bearer token."""
        return {"type": "http", "scheme": "bearer"}
