"""The product's own programs: their names, and how they start, answer and stop."""

import http.client
import signal
import socket
import sys
from collections.abc import Mapping

from portal.runtime.datadir import DataDirectory
from portal.runtime.ports import BindAddress
from portal.runtime.program import ROOT, Program, Stop

PYTHON = sys.executable
# Polars' allocator reads this when it is loaded: with one arena that returns unused pages soon, a
# worker needs some 40 MB less than by default and is as fast. As in docker-compose.yml.
ALLOCATOR = {"_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0"}
MANAGE = str(ROOT / "manage.py")
PROBE_SECONDS = 5.0


def setup(environment: Mapping[str, str]) -> Program:
    """Schema and static files, before the others start. The schema is the owner's to change."""
    owner = {**environment, "DATABASE_ROLE": ""}
    return Program("setup", (PYTHON, MANAGE, "setup"), owner)


def demo(environment: Mapping[str, str]) -> Program:
    """The demo institution, after the others answer."""
    return Program("demo", (PYTHON, MANAGE, "demo"), environment)


def worker(environment: Mapping[str, str]) -> Program:
    """Celery for imports. On a request to stop it finishes the running import, or releases it."""
    return _celery("worker", "import", {**ALLOCATOR, **environment})


def collector(environment: Mapping[str, str]) -> Program:
    """Celery for the rounds through the folders and the sweep, which never wait for an import."""
    return _celery("collector", "poll", environment)


def courier(environment: Mapping[str, str]) -> Program:
    """Celery for deliveries: threads, because they wait for partners' servers.

    What is being sent when it stops is sent again by the next start.
    """
    return _celery("courier", "deliver", environment, pool="threads")


def _celery(
    name: str, queues: str, environment: Mapping[str, str], pool: str = "prefork"
) -> Program:
    seconds = float(environment.get("WORKER_STOP_SECONDS", "30"))
    at_once = environment.get("WORKER_CONCURRENCY", "2")
    if pool == "threads":
        at_once = environment.get("COURIER_CONCURRENCY", "16")
    command = (
        *(PYTHON, "-m", "celery", "-A", "portal", "worker", "--queues", queues),
        *("--hostname", f"{name}@%h", "--pool", pool, "--concurrency", at_once),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )
    stops = (Stop(signal.SIGTERM, seconds), Stop(signal.SIGQUIT, 5.0))
    return Program(name, command, environment, stops=stops)


def beat(environment: Mapping[str, str], data: DataDirectory) -> Program:
    """Celery's beat: ticks only."""
    schedule = data.path / "beat"
    schedule.mkdir(mode=0o700, exist_ok=True)
    command = (
        *(PYTHON, "-m", "celery", "-A", "portal", "beat", "--pidfile="),
        *("--schedule", str(schedule / "schedule"), "--loglevel", "WARNING"),
    )
    return Program("beat", command, environment)


def drop(environment: Mapping[str, str], sftp: BindAddress) -> Program:
    """The drop server."""
    command = (PYTHON, MANAGE, "dropserver", "--grace", "30")
    return Program(
        *("drop", command, environment),
        is_ready=lambda: has_ssh_banner(sftp),
        poll_seconds=0.1,
        stops=(Stop(signal.SIGTERM, 40.0),),
    )


def web(environment: Mapping[str, str], http_address: BindAddress) -> Program:
    """gunicorn; its number of workers is WEB_CONCURRENCY, which it reads itself."""
    command = (
        *(PYTHON, "-m", "gunicorn", "portal.wsgi", "--bind", http_address.bind),
        *("--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "10"),
        *("--preload", "--no-control-socket", "--log-level", "warning"),
    )
    environment = {"WEB_CONCURRENCY": "2", **environment}
    host = probe_host(environment)
    ready = lambda: answers_ready(http_address, host)  # noqa: E731 - a closure, not a function
    return Program(
        "web",
        command,
        environment,
        is_ready=ready,
        poll_seconds=0.1,
        stops=(Stop(signal.SIGTERM, 30.0),),
    )


def in_order(
    environment: Mapping[str, str],
    data: DataDirectory,
    http_address: BindAddress,
    sftp: BindAddress,
) -> list[Program]:
    """All programs in starting order; those with clients start last and so stop first."""
    return [
        worker(environment),
        collector(environment),
        courier(environment),
        beat(environment, data),
        drop(environment, sftp),
        web(environment, http_address),
    ]


def probe_host(environment: Mapping[str, str]) -> str:
    """A Host header that the web process accepts."""
    allowed = environment.get("ALLOWED_HOSTS", "").split(",")
    return next((h.strip() for h in allowed if h.strip() and h.strip()[0] not in "*."), "localhost")


def answers_ready(address: BindAddress, host: str) -> bool:
    """Whether the web process and what it needs are ready."""
    connection = http.client.HTTPConnection(
        address.reachable_host, address.port, timeout=PROBE_SECONDS
    )
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_ssh_banner(address: BindAddress) -> bool:
    """Whether an SSH server answers."""
    target = (address.reachable_host, address.port)
    try:
        with socket.create_connection(target, timeout=PROBE_SECONDS) as client:
            return client.recv(16).startswith(b"SSH-2.0-")
    except OSError:
        return False
