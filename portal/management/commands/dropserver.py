"""`manage.py dropserver`: receive files over SFTP until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

import asyncssh
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import logs
from portal.dropserver.ledger import Ledger
from portal.dropserver.sftp import hostkey
from portal.dropserver.sftp.server import DropServer, Rules

log = logs.get(__name__)
_IN_USE = (
    " Another program listens there; where `manage.py up` runs, it is that one's own drop server, "
    "and no second one is needed. Choose another address with --bind HOST:PORT."
)


_MOST_DESCRIPTORS = 65_536
_RESERVE = 200  # descriptors for logs, the database, listings and logins
_FEWEST_FILES = 64


def raise_descriptors() -> int:
    """Let the process have as many descriptors as it may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


class Command(BaseCommand):
    """Listen on SFTP_BIND with the key in SFTP_HOST_KEY_FILE."""

    help = (
        "Receive files over SFTP until SIGTERM or Ctrl-C. `manage.py up` runs this server already."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind",
            metavar="HOST:PORT",
            default=settings.SFTP_BIND,
            help="where to listen; port 0 uses a free one (default: SFTP_BIND, now %(default)s)",
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=8,  # supervisors kill after 10 seconds by default
            help="seconds that running transfers get to finish after SIGTERM (default 8)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asyncssh.set_log_level("WARNING")
        host, port = _address(options["bind"])
        try:
            key = hostkey.load(Path(settings.SFTP_HOST_KEY_FILE))
        except (OSError, asyncssh.KeyImportError) as error:
            raise CommandError(
                f"The host key {settings.SFTP_HOST_KEY_FILE} cannot be read: {error}. Set "
                "SFTP_HOST_KEY_FILE to a private key, or to an unused name to create one."
            ) from None
        asyncio.run(_serve(host, port, key, options["grace"]))


async def _serve(host: str, port: int, key: asyncssh.SSHKey, grace: float) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    ledger = Ledger()
    server = DropServer(ledger, _rules())
    try:
        await server.start(host, port, key)
    except OSError as error:
        ledger.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = _IN_USE if error.errno == errno.EADDRINUSE else ""
        raise CommandError(f"Cannot listen on {host}:{port}: {reason}.{advice}") from None
    reporting = asyncio.create_task(ledger.report_alive())
    log.info("drop_server_started", host=host, port=server.port, key=hostkey.fingerprint(key))
    await stopping.wait()
    log.info("drop_server_stopping", connections=server.connections)
    await server.stop(grace)
    reporting.cancel()
    await asyncio.to_thread(ledger.close)


def _rules() -> Rules:
    """The limits; of open files as many as there are descriptors for, with a reserve."""
    descriptors = raise_descriptors()
    files = (descriptors - settings.SFTP_MAX_SESSIONS - _RESERVE) // 2
    if files < settings.SFTP_MAX_OPEN_FILES_PER_ACCOUNT:
        log.warning("few_descriptors", limit=descriptors, files_at_once=max(_FEWEST_FILES, files))
    return Rules(
        open_files=max(_FEWEST_FILES, files),
        login_timeout=settings.SFTP_LOGIN_SECONDS,
        idle_timeout=settings.SFTP_IDLE_SECONDS,
        connections=settings.SFTP_MAX_SESSIONS,
    )


def _address(bind: str) -> tuple[str, int]:
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise CommandError(f"SFTP_BIND is {bind!r}; expected HOST:PORT, such as 0.0.0.0:2222.")
    return host.strip("[]"), int(port)
