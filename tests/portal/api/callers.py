"""Programs that call the API: each has a token of one institution."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from portal import tenancy
from portal.models import ApiToken, Event, Tenant
from portal.people import tokens

ADDRESS = "/api/v1/events/"
ALL = (ApiToken.Scope.EVENTS_WRITE, ApiToken.Scope.EVENTS_READ)


def event(uid: str = "e-1", **members: Any) -> dict[str, Any]:
    """A sound event."""
    return {
        "id": uid,
        "type": "courseCompletion",
        "timestamp": "2026-05-18T18:00:13.000Z",
        "subject": "lee@example.edu",
        "payload": {"title": "Laboratory safety", "userDetail": {"firstName": "Lee"}},
        **members,
    }


@dataclass(frozen=True, slots=True)
class Caller:
    """A program with its token."""

    tenant: Tenant
    row: ApiToken
    token: str

    def send(self, body: Any, **headers: Any) -> Any:
        """POST; the body as JSON, or as it is where it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().post(
            ADDRESS,
            data,
            content_type=headers.pop("content_type", "application/json"),
            HTTP_AUTHORIZATION=f"Bearer {self.token}",
            **headers,
        )

    def read(self, **values: Any) -> Any:
        """GET."""
        return Client().get(ADDRESS, values, HTTP_AUTHORIZATION=f"Bearer {self.token}")

    def stored(self) -> list[Event]:
        with tenancy.scope(self.tenant.pk):
            return list(Event.objects.order_by("uid"))


@dataclass(frozen=True, slots=True)
class Callers:
    home: Caller
    abroad: Caller


def caller(tenant: Tenant, *scopes: str, **values: Any) -> Caller:
    with tenancy.scope(tenant.pk):
        row, token = tokens.make(tenant, "Nightly job", scopes or ALL, **values)
    return Caller(tenant, row, token)


def new() -> Callers:
    """The two programs."""
    tenants = [Tenant.objects.create(name=name, slug=name) for name in ("home", "abroad")]
    return Callers(*(caller(tenant) for tenant in tenants))
