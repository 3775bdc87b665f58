"""The embedded servers: cold and warm starts, and starts after a death without warning."""

import contextlib
import os
import signal
import subprocess
import time

import psutil
import psycopg
import pytest

from portal.runtime.identity import for_postgres
from portal.runtime.output import Silence
from portal.runtime.postgres import PostgresServer
from portal.runtime.setup_mark import SetupMark
from portal.runtime.sockets import socket_directory
from portal.runtime.stopping import SignalWatch
from portal.runtime.supervisor import Supervisor
from portal.runtime.valkey import ValkeyServer

UNSAFE_BUT_FAST = {"fsync": "off"}


@pytest.fixture
def supervisor(tmp_path):
    with SignalWatch() as signals:
        supervisor = Supervisor(tmp_path / "log", Silence(), signals)
        yield supervisor
        supervisor.stop()


@pytest.fixture
def postgres(tmp_path):
    sockets = socket_directory(tmp_path, os.geteuid())
    cluster = tmp_path / "a name with spaces" / "postgres"
    yield PostgresServer(cluster, sockets, for_postgres(cluster), UNSAFE_BUT_FAST)
    for left in sockets.iterdir():
        left.unlink()
    sockets.rmdir()


@pytest.fixture
def valkey(tmp_path):
    sockets = socket_directory(tmp_path / "v", os.geteuid())
    yield ValkeyServer(tmp_path / "a name with spaces" / "valkey", sockets)
    for left in sockets.iterdir():
        left.unlink()
    sockets.rmdir()


def remember(postgres: PostgresServer, text: str) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (text text)")
        connection.execute("INSERT INTO memory VALUES (%s)", [text])


def test_the_log_has_no_values_of_failed_statements(supervisor, postgres):
    supervisor.start(postgres.program())
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name text UNIQUE)")
        for _ in range(2):
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO people VALUES ('Canary Lovelace')")
    log = supervisor.log_dir / "postgres.log"
    assert supervisor.wait_until(lambda: "duplicate key" in log.read_text(), 10)
    supervisor.stop()
    assert "Canary" not in log.read_text()


def memories(postgres: PostgresServer) -> list[str]:
    with psycopg.connect(postgres.url) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM memory ORDER BY 1")]


@pytest.mark.faults
def test_postgres_starts_cold_and_warm_and_after_a_kill(supervisor, postgres):
    supervisor.start(postgres.program())
    remember(postgres, "cold")
    supervisor.stop()

    began = time.monotonic()
    supervisor.start(postgres.program())
    assert time.monotonic() - began < 10, "a warm start makes no new cluster"
    remember(postgres, "warm")

    killed = supervisor.pids()["postgres"]
    os.kill(killed, signal.SIGKILL)
    assert supervisor.wait_until(lambda: supervisor.pids().get("postgres", killed) != killed, 30)
    supervisor.wait_ready("postgres")
    assert memories(postgres) == ["cold", "warm"]


@pytest.mark.faults
def test_a_stale_lock_file_that_names_a_living_stranger_does_not_stop_postgres(
    supervisor, postgres
):
    supervisor.start(postgres.program())
    lock = postgres.cluster / "postmaster.pid"
    lines = lock.read_text().splitlines()
    supervisor.stop()
    # After a power loss the number may belong to any process of the same user: here a sleeper.
    with subprocess.Popen([*postgres.identity.prefix, "sleep", "600"]) as stranger:
        lines[0] = str(stranger.pid)
        lock.write_text("\n".join(lines) + "\n")
        supervisor.start(postgres.program())
        remember(postgres, "started")
        stranger.kill()
    assert memories(postgres) == ["started"]


def test_a_half_made_cluster_is_made_anew(supervisor, postgres):
    half = postgres.cluster.with_name("postgres.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    supervisor.start(postgres.program())
    remember(postgres, "whole")
    assert not half.exists()


def test_the_owner_is_no_superuser_and_the_server_has_no_network_address(supervisor, postgres):
    supervisor.start(postgres.program())
    with psycopg.connect(postgres.url) as connection:
        query = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(query).fetchone() == (False, True)
        connection.execute("CREATE ROLE some_app NOLOGIN")
        connection.execute("SET ROLE some_app")
    process = psutil.Process(supervisor.pids()["postgres"])
    assert [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []


@pytest.mark.faults
def test_valkey_starts_cold_and_after_a_kill(supervisor, valkey):
    supervisor.start(valkey.program())
    killed = supervisor.pids()["valkey"]
    os.kill(killed, signal.SIGKILL)
    assert supervisor.wait_until(lambda: supervisor.pids().get("valkey", killed) != killed, 30)
    supervisor.wait_ready("valkey")
    assert valkey.url == f"redis+socket://{valkey.socket}"


def test_valkeys_damaged_files_can_be_set_aside(valkey):
    valkey.prepare()
    (valkey.directory / "damaged").touch()
    aside = valkey.set_aside()
    assert (aside / "damaged").exists()
    assert not valkey.directory.exists()


def test_the_setup_is_skipped_only_while_version_and_schema_are_the_same(
    supervisor, postgres, tmp_path, monkeypatch
):
    supervisor.start(postgres.program())
    mark = SetupMark(tmp_path, postgres.url)
    assert not mark.is_current()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE django_migrations (id serial)")
        mark.save()
        assert SetupMark(tmp_path, postgres.url).is_current()
        connection.execute("INSERT INTO django_migrations DEFAULT VALUES")
        assert not SetupMark(tmp_path, postgres.url).is_current()
        mark.save()
        assert SetupMark(tmp_path, postgres.url).is_current()
    monkeypatch.setattr("portal.runtime.setup_mark.SOURCES", ("portal",))
    assert not SetupMark(tmp_path, postgres.url).is_current()
