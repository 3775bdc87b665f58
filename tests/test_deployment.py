"""The image and the composition, checked without Docker: they fit what the code reads."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
APP = ["migrate", "web", "worker", "collector", "courier", "beat", "drop"]
LONG_RUNNING = ["web", "worker", "collector", "courier", "beat", "drop", "database", "broker"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return dict(compose["services"])


def documented() -> set[str]:
    """The names in .env.example."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))


def read_by_settings() -> set[str]:
    source = (ROOT / "portal" / "settings.py").read_text()
    return set(re.findall(r"env\.[a-z]+\(\s*\"([A-Z0-9_]+)\"", source))


def read_by_the_launcher() -> set[str]:
    source = "".join(p.read_text() for p in (ROOT / "portal" / "runtime").glob("*.py"))
    return set(re.findall(r"environment(?:\.get\(|\[|.*= \{)\"([A-Z0-9_]+)\"", source))


def test_every_variable_that_is_read_is_documented() -> None:
    assert len(read_by_settings()) > 30
    assert read_by_settings() - documented() == set()


def test_every_documented_variable_is_read_somewhere() -> None:
    published = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert documented() - read_by_settings() - read_by_the_launcher() - published == set()


def test_every_variable_of_the_composition_is_documented(services: dict[str, Any]) -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    for name in APP:
        named |= {v.removesuffix("_FILE") for v in services[name]["environment"]}
    names = documented() | {n.removesuffix("_FILE") for n in documented()}
    assert named
    # The underscore marks what a library reads, not the portal.
    assert {name for name in named - names if not name.startswith("_")} == set()


def test_the_example_is_harmless_as_it_is() -> None:
    """Copied to .env unchanged it sets nothing."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_composition_keeps_to_the_specification() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_process_is_there_with_its_command(services: dict[str, Any]) -> None:
    commands = {name: " ".join(services[name].get("command", [])) for name in services}
    assert commands["web"].startswith("gunicorn portal.wsgi --bind 0.0.0.0:8000 --threads 8")
    assert commands["worker"].startswith("celery -A portal worker -Q import --concurrency")
    assert "-Q deliver --pool threads" in commands["courier"]
    assert commands["beat"].startswith("celery -A portal beat")
    assert commands["drop"] == "python manage.py dropserver"
    assert "python manage.py migrate" in commands["migrate"]
    assert set(services) == {*APP, "database", "broker"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_what_runs_long_is_watched_and_started_again(services: dict[str, Any], name: str) -> None:
    assert services[name]["healthcheck"]["test"]
    assert services[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["web", "worker", "collector", "courier", "beat", "drop"])
def test_nothing_starts_before_the_schema_is_there(services: dict[str, Any], name: str) -> None:
    conditions = {what: rule["condition"] for what, rule in services[name]["depends_on"].items()}
    assert conditions == {
        "database": "service_healthy",
        "broker": "service_healthy",
        "migrate": "service_completed_successfully",
    }


@pytest.mark.parametrize("name", APP)
def test_our_processes_have_few_rights(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_only_web_and_drop_are_published(services: dict[str, Any]) -> None:
    assert {name for name in services if services[name].get("ports")} == {"web", "drop"}
    assert services["database"]["networks"] == services["broker"]["networks"] == ["inside"]


def test_only_collector_and_drop_share_the_drops(services: dict[str, Any]) -> None:
    sharing = {
        name
        for name, service in services.items()
        if any(volume.startswith("drops:") for volume in service.get("volumes", []))
    }
    assert sharing == {"collector", "drop"}


def test_every_volume_secret_and_network_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert {v.split(":")[0] for v in service.get("volumes", [])} <= set(compose["volumes"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        assert set(service["networks"]) <= set(compose["networks"])


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if any(word in name for word in ("PASSWORD", "SECRET", "KEYS", "TOKEN")):
                assert name.endswith("_FILE"), name
                assert value.startswith("/run/secrets/"), name


def test_the_broker_keeps_what_it_took(services: dict[str, Any]) -> None:
    command = " ".join(services["broker"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def instructions() -> list[str]:
    joined = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_the_image_is_made_in_two_stages_from_hashed_requirements() -> None:
    stages = [line for line in instructions() if line.startswith("FROM ")]
    assert stages == ["FROM python:3.11-slim AS build", "FROM python:3.11-slim"]
    assert any("--require-hashes -r /tmp/requirements.txt" in line for line in instructions())


def test_the_image_runs_as_nobody_important() -> None:
    order = [line.split()[0] for line in instructions()]
    assert "USER 10001:10001" in instructions()
    assert order.index("USER") > max(i for i, word in enumerate(order) if word in ("RUN", "COPY"))
    assert "HEALTHCHECK" not in order
    assert any("collectstatic" in line for line in instructions())


def test_what_the_image_copies_exists_and_is_let_in() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    let_in = [line[1:].rstrip("/") for line in ignored if line.startswith("!")]
    copied = [
        word
        for line in instructions()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert "*" in ignored
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize(
    "path", [".env", "secrets/secret_key", "var/keys/x", ".git/config", "tests/x"]
)
def test_nothing_secret_gets_into_the_image(path: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not any(fnmatch(path, line[1:] + "*") for line in ignored if line.startswith("!"))
