"""The page of API tokens: made and shown once, revoked, each act in the audit trail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal import tenancy
from portal.models import ApiToken, AuditEntry
from tests.browser import seed
from tests.cast import Cast, as_person


def post(cast: Cast, address: str, /, *args: Any, **data: Any) -> HttpResponse:
    return as_person(cast, "admin").post(reverse(address, args=args), data, follow=True)


def only_token() -> ApiToken:
    with tenancy.everyone("a test looks"):
        return ApiToken.objects.get()


def acts() -> list[str]:
    with tenancy.everyone("a test looks"):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def shown(answer: HttpResponse) -> str:
    shown = re.search(r'id="new-token">([^<]+)<', answer.content.decode())
    assert shown
    return shown[1]


def status(token: str) -> int:
    client = Client()
    return int(client.get("/api/v1/events/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code)


def test_a_new_token_is_shown_this_once_and_works(cast: Cast) -> None:
    answer = post(cast, "token-add", name="Job", scopes=["events:read"], lifetime="30")
    token = shown(answer)
    assert answer["Cache-Control"] == "private, no-store"
    assert status(token) == 200
    row = only_token()
    assert (row.name, row.scopes, row.created_by) == ("Job", ["events:read"], cast.admin)
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - timezone.now() <= timedelta(days=30)
    page = as_person(cast, "admin").get(reverse("tokens")).content.decode()
    assert token not in page
    assert row.prefix in page
    assert acts() == ["token.add"]
    with tenancy.everyone("a test looks"):
        assert token not in str(AuditEntry.objects.values().get())


def test_a_revoked_token_stops_working_at_once(cast: Cast) -> None:
    token = shown(post(cast, "token-add", name="Job", scopes=["events:read"], lifetime=""))
    assert only_token().expires_at is None
    page = post(cast, "token-revoke", only_token().pk).content.decode()
    assert "is no longer valid" in page
    assert status(token) == 401
    post(cast, "token-revoke", only_token().pk)
    assert acts() == ["token.add", "token.revoke"]


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "scopes": ["events:read"]},
        {"name": "x" * 201, "scopes": ["events:read"]},
        {"name": "a\0b", "scopes": ["events:read"]},
        {"name": "Job"},
        {"name": "Job", "scopes": ["everything"]},
        {"name": "Job", "scopes": ["events:read"], "lifetime": "9999999"},
    ],
)
def test_what_makes_no_token_is_told(cast: Cast, data: dict[str, Any]) -> None:
    answer = post(cast, "token-add", **data)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    assert acts() == []


def test_another_tenants_token_cannot_be_revoked(cast: Cast) -> None:
    seed.everything(cast, jobs=0)
    with tenancy.everyone("a test looks"):
        row = ApiToken.objects.filter(revoked_at=None)[0]
    answer = as_person(cast, "outsider").post(reverse("token-revoke", args=[row.pk]))
    assert answer.status_code == 404


def test_each_state_is_a_word(cast: Cast) -> None:
    seed.everything(cast, jobs=0)
    page = as_person(cast, "admin").get(reverse("tokens")).content.decode()
    for word in ("Active", "Expired", "Revoked"):
        assert f"{word}</span>" in page
    assert "<script>window" not in page
