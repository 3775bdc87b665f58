"""`/metrics`: facts across tenants, for whom they are meant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

import portal
from imports.models import ImportJob
from portal import beats, tenancy
from portal.models import Account, Beat, DropSession, Endpoint, Tenant, Upload
from portal.people import scores

pytestmark = pytest.mark.django_db


def ask(address: str = "127.0.0.1", **headers: str) -> HttpResponse:
    return Client().get("/metrics", REMOTE_ADDR=address, **headers)


def sample(body: str, name: str) -> float:
    """The value of one sample."""
    return float(next(line for line in body.splitlines() if line.startswith(f"{name} ")).split()[1])


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
    assert "causeway_expired_leases 0.0" in body


def test_it_tells_the_age_of_the_oldest_job_that_is_due_and_the_leases_that_ran_out(
    two_tenants: list[Tenant],
) -> None:
    hour = timedelta(hours=1)
    for tenant, state in zip(
        two_tenants, (ImportJob.State.ERRORED, ImportJob.State.RUNNING), strict=True
    ):
        with tenancy.scope(tenant.pk):
            ImportJob.objects.create(
                tenant=tenant,
                state=state,
                ready_at=timezone.now() - hour,
                lease_until=timezone.now() - hour,
            )
            ImportJob.objects.create(tenant=tenant, ready_at=timezone.now() + hour)
    body = ask().content.decode()
    assert 3600 <= sample(body, "causeway_oldest_ready_job_seconds") < 3660
    assert sample(body, "causeway_expired_leases") == 1


def test_without_anything_it_tells_zeros() -> None:
    body = ask().content.decode()
    for name in ("oldest_ready_job_seconds", "expired_leases", "drop_sessions_open", "login_bans"):
        assert sample(body, f"causeway_{name}") == 0


def test_it_counts_open_sessions_and_uploads_by_state(two_tenants: list[Tenant]) -> None:
    tenant = two_tenants[0]
    with tenancy.scope(tenant.pk):
        endpoint = Endpoint.objects.create(tenant=tenant, name="SFTP")
        account = Account.objects.create(tenant=tenant, endpoint=endpoint, username="ada")
        ends = (None, None, timezone.now())
        for ended_at in ends:
            DropSession.objects.create(
                tenant=tenant, account=account, address="::1", ended_at=ended_at
            )
        Upload.objects.create(tenant=tenant, account=account, endpoint=endpoint, path="a")
    body = ask().content.decode()
    assert sample(body, "causeway_drop_sessions_open") == 2
    assert sample(body, 'causeway_uploads{state="open"}') == 1


def test_it_tells_the_age_of_each_beat_and_the_bans(settings: LazySettings) -> None:
    settings.LOGIN_FAILURES = 1
    scores.failed("192.0.2.1", "ada")
    beats.beat("sweep", jobs=3)
    body = ask().content.decode()
    assert 'causeway_beat_age_seconds{process="sweep"} ' in body
    assert "causeway_login_bans 1.0" in body
    assert sample(body, 'causeway_beat_age_seconds{process="sweep"}') < 60
    build = next(line for line in body.splitlines() if line.startswith("causeway_build_info{"))
    assert f'version="{portal.__version__}"' in build


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
