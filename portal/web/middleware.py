"""Each request runs in the scope of a tenant, no copy of a person's pages is kept, and the log has
no query strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django_structlog.middlewares import RequestMiddleware

from portal import tenancy
from portal.models import Membership, Role, Tenant, User

SESSION_KEY = "tenant"
_LARGEST_FORM = 16 << 10  # bytes


class RequestLog(RequestMiddleware):
    """Logs requests by method and path: query strings hold what people search for."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """What the log has of a request."""
        return f"{request.method} {request.path}"


class PrivatePages:
    """Pages behind a login are kept by no cache, nor shown by the back button afterwards."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        user = getattr(request, "user", None)
        if user is None or user.is_authenticated:  # None: a program with a token
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class AdmitFirst:
    """Asks a view whether the person may use it, and a stranger for a small body, before reading.

    A view that `permissions.require` guards has the question as its attribute `admit`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_arguments: Any
    ) -> HttpResponseBase | None:
        """A refusal, or None. Raises PermissionDenied."""
        user = getattr(request, "user", None)
        if user is not None and not user.is_authenticated and _is_large(request):
            return render(request, "400.html", status=413)
        admit = getattr(view, "admit", None)
        return admit(request) if admit is not None else None


def _is_large(request: HttpRequest) -> bool:
    """Whether the body is larger than any form of a page that needs no login. The API is not asked:
    it looks at the token before it reads."""
    if request.path.startswith("/api/"):
        return False
    length = request.META.get("CONTENT_LENGTH") or "0"
    chunked = "HTTP_TRANSFER_ENCODING" in request.META
    return chunked or not length.isdigit() or int(length) > _LARGEST_FORM


class TenantMiddleware:
    """Sets `request.membership` and `request.tenant` (None without) and opens the scope."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        membership = choose(request)
        request.membership = membership  # type: ignore[attr-defined]
        request.tenant = membership.tenant if membership else None  # type: ignore[attr-defined]
        if membership is None:
            return self.get_response(request)
        with tenancy.scope(membership.tenant_id):
            response = self.get_response(request)
        # A stream is read after this function has returned; its queries need the scope, too.
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            chunks: Iterable[bytes] = response.streaming_content  # type: ignore[assignment]
            response.streaming_content = _within(membership.tenant_id, chunks)
        return response


def _within(tenant_id: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    with tenancy.scope(tenant_id):
        yield from chunks


def choose(request: HttpRequest) -> Membership | None:
    """The membership that the session names, else the first. Operators are admins everywhere."""
    user = request.user
    if not user.is_authenticated:
        return None
    chosen = request.session.get(SESSION_KEY)
    if user.is_operator:
        return _operator_membership(user, chosen)
    mine = Membership.objects.select_related("tenant").filter(user=user, tenant__enabled=True)
    by_name = mine.order_by("tenant__name")
    return by_name.filter(tenant_id=chosen or 0).first() or by_name.first()


def _operator_membership(user: User, chosen: int | None) -> Membership | None:
    tenants = Tenant.objects.order_by("name")
    tenant = tenants.filter(pk=chosen or 0).first() or tenants.first()
    return Membership(tenant=tenant, user=user, role=Role.ADMIN) if tenant else None
