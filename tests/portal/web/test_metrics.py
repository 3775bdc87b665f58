"""`/metrics`: facts across tenants, for whom they are meant."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client

from imports.models import ImportJob
from portal import beats, tenancy
from portal.models import Beat, Tenant
from portal.people import scores

pytestmark = pytest.mark.django_db


def ask(address: str = "127.0.0.1", **headers: str) -> HttpResponse:
    return Client().get("/metrics", REMOTE_ADDR=address, **headers)


@pytest.fixture
def two_tenants() -> list[Tenant]:
    return [Tenant.objects.create(name=slug, slug=slug) for slug in ("oak", "elm")]


def test_it_counts_the_jobs_of_all_tenants(two_tenants: list[Tenant]) -> None:
    for tenant in two_tenants:
        with tenancy.scope(tenant.pk):
            ImportJob.objects.create(tenant=tenant, feed="terms", record_type="term", file_name="t")
    body = ask().content.decode()
    assert 'causeway_jobs{state="ready"} 2.0' in body
    assert "causeway_oldest_ready_job_seconds 0." in body


def test_it_tells_the_age_of_each_beat_and_the_bans(settings: LazySettings) -> None:
    settings.LOGIN_FAILURES = 1
    scores.failed("192.0.2.1", "ada")
    beats.beat("sweep", found=3)
    body = ask().content.decode()
    assert 'causeway_beat_age_seconds{process="sweep"} ' in body
    assert "causeway_login_bans 1.0" in body
    assert "causeway_build_info{" in body


def test_it_leaves_no_tenant_in_scope(two_tenants: list[Tenant]) -> None:
    ask()
    assert tenancy.current() is None
    assert ImportJob.objects.count() == 0


def test_without_a_token_only_this_machine_may_read() -> None:
    assert ask("::1").status_code == 200
    assert ask("192.0.2.1").status_code == 403


def test_a_proxy_on_this_machine_does_not_open_it_to_the_world(settings: LazySettings) -> None:
    assert ask(HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 403
    assert ask(HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 403
    settings.BEHIND_PROXY = True
    assert ask(HTTP_X_FORWARDED_FOR="127.0.0.1, 192.0.2.1").status_code == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer wrong", 403),
        ("Bearer é", 403),
        ("Basic s3cret", 403),
        ("s3cret", 403),
        ("", 403),
    ],
)
def test_with_a_token_only_its_bearer_may_read(
    settings: LazySettings, header: str, status: int
) -> None:
    settings.METRICS_TOKEN = "s3cret"
    assert ask(HTTP_AUTHORIZATION=header).status_code == status
    assert ask("192.0.2.1", HTTP_AUTHORIZATION=header).status_code == status


def test_a_second_beat_renews_the_first() -> None:
    beats.beat("drop@a", sessions=1)
    first = Beat.objects.get().seen_at
    beats.beat("drop@a", sessions=2)
    assert Beat.objects.get().detail == {"sessions": 2}
    assert Beat.objects.get().seen_at >= first
