"""Tokens: who may do what, and what a token of another tenant, a dead or a guessed one sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal import tenancy
from portal.models import ApiToken, LoginScore, Membership, Tenant, User
from portal.people import tokens
from tests.portal.api.callers import ADDRESS, Callers, caller, event


def get(header: str, **headers: Any) -> Any:
    return Client().get(ADDRESS, HTTP_AUTHORIZATION=header, **headers)


def test_only_a_hash_of_the_token_is_kept(callers: Callers) -> None:
    home = callers.home
    assert home.token not in str(vars(home.row))
    assert home.token.split("_")[1] == home.row.prefix
    assert len(home.token.split("_", 2)[2]) == 43


def test_without_a_token_or_with_a_wrong_one_nothing_is_told(callers: Callers) -> None:
    wrong = callers.home.token[:-1] + ("a" if callers.home.token[-1] != "a" else "b")
    for header in ("", "Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", f"Bearer {wrong}", "Bearer ü"):
        answer = get(header)
        assert answer.status_code == 401, header
        assert answer["WWW-Authenticate"] == 'Bearer realm="Causeway"'
        assert answer["Content-Type"].startswith("application/problem+json")


def test_another_tenants_token_sees_nothing(callers: Callers) -> None:
    callers.home.send(event())
    assert callers.abroad.read().json()["events"] == []
    assert len(callers.home.read().json()["events"]) == 1


def test_no_scope_of_another_tenant_sees_the_row(callers: Callers) -> None:
    with tenancy.scope(callers.abroad.tenant.pk):
        assert [row.pk for row in ApiToken.objects.all()] == [callers.abroad.row.pk]
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_a_revoked_or_expired_token_is_dead(callers: Callers, change: dict[str, Any]) -> None:
    assert callers.home.read().status_code == 200
    with tenancy.scope(callers.home.tenant.pk):
        ApiToken.objects.update(**change)
    assert callers.home.read().status_code == 401


def test_a_disabled_tenants_token_is_dead(callers: Callers) -> None:
    Tenant.objects.filter(pk=callers.home.tenant.pk).update(enabled=False)
    assert callers.home.read().status_code == 401
    assert callers.abroad.read().status_code == 200


def test_a_token_does_only_what_its_scopes_say(callers: Callers) -> None:
    reader = caller(callers.home.tenant, ApiToken.Scope.EVENTS_READ)
    answer = reader.send(event())
    assert answer.status_code == 403
    assert answer.json()["neededScope"] == "events:write"
    assert reader.read().status_code == 200
    writer = caller(callers.home.tenant, ApiToken.Scope.EVENTS_WRITE)
    assert writer.read().status_code == 403


def test_the_last_use_is_noted(callers: Callers) -> None:
    callers.home.read()
    with tenancy.scope(callers.home.tenant.pk):
        used = ApiToken.objects.get().last_used_at
    assert used is not None
    assert timezone.now() - used < timedelta(minutes=1)


def test_wrong_tokens_count_in_the_one_score(callers: Callers, settings: Any) -> None:
    settings.LOGIN_FAILURES = 3
    guess = f"Bearer cwy_{callers.home.row.prefix}_{'x' * 43}"
    assert [get(guess).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert int(get(guess)["Retry-After"]) > 0
    assert LoginScore.objects.filter(key__contains=callers.home.row.prefix).exists()
    assert get(f"Bearer {callers.home.token}").status_code == 429
    assert get(f"Bearer {callers.home.token}", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert callers.abroad.read().status_code == 200


def test_a_session_counts_for_nothing(callers: Callers) -> None:
    person = User.objects.create(email="admin@api-test.example")
    Membership.objects.create(tenant=callers.home.tenant, user=person, role="admin")
    client = Client()
    try:
        client.force_login(person)
        assert client.get(ADDRESS).status_code == 401
        assert client.post(ADDRESS, event(), content_type="application/json").status_code == 401
        answer = client.get(ADDRESS, HTTP_AUTHORIZATION=f"Bearer {callers.abroad.token}")
        assert answer.json()["events"] == []
    finally:
        client.logout()
        person.delete()


def test_a_token_is_revoked_once(callers: Callers) -> None:
    with tenancy.scope(callers.home.tenant.pk):
        assert tokens.revoke(callers.home.row)
        assert not tokens.revoke(callers.home.row)
