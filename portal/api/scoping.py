"""The base of the API's views: nothing is visible until the token has named the tenant."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from portal import tenancy
from portal.api.authentication import HOW
from portal.api.problems import ApiProblem
from portal.models import ApiToken

_NOBODY = 0  # no tenant has this id


class TenantView(APIView):
    """A view whose method runs in the scope of the token's tenant.

    scopes: what a token needs, by method.
    """

    scopes: ClassVar[dict[str, str]] = {}
    _within: ExitStack

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Run the method in its own scope; the tenant of a session is not visible in it."""
        with tenancy.scope(_NOBODY), ExitStack() as self._within:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, then open the tenant's scope."""
        super().initial(request, *args, **kwargs)
        token = request.auth
        if isinstance(token, ApiToken):
            self._within.enter_context(tenancy.scope(token.tenant_id))

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> Any:
        """Raise the 401 or 403, with words."""
        if request.auth is None:
            raise NotAuthenticated(f"This needs a token. {HOW}")
        raise ApiProblem(403, message or "This token does not have permission to do this.")
