"""Health: alive without asking anybody, ready only when database and broker answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.utils import ProgrammingError
from django.test import Client

import portal


@pytest.fixture
def no_broker(settings: LazySettings, tmp_path: Path) -> None:
    settings.REDIS_URL = f"redis+socket://{tmp_path}/none.sock"


def test_alive_asks_neither_database_nor_broker(no_broker: None) -> None:
    """Without the database mark, a query would fail the test."""
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "version": portal.__version__},
    )


@pytest.mark.django_db
def test_ready_when_both_answer(servers: Path) -> None:
    response = Client().get("/readyz")
    assert response.json() == {"status": "ok", "database": True, "broker": True}
    assert response.status_code == 200


@pytest.mark.django_db
def test_not_ready_without_the_broker(no_broker: None) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "database": True, "broker": False}


@pytest.mark.django_db
def test_not_ready_without_the_database(no_broker: None) -> None:
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("SELECT nothing")
    assert Client().get("/readyz").json()["database"] is False


def test_health_may_be_asked_by_the_loopback_address_whatever_the_public_name() -> None:
    assert Client().get("/healthz", HTTP_HOST="127.0.0.1:8000").status_code == 200
