"""`manage.py demo`: an institution with people and an account, and files sent to it by SFTP."""

from __future__ import annotations

import json
import secrets
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from exports import define, names
from exports.models import Export
from portal import provision, tenancy
from portal.changes import Actor
from portal.demo import samples, sender
from portal.models import Role, Tenant, User
from portal.runtime.keys import fingerprint
from portal.runtime.ports import WILDCARDS, split

SLUG = "riverbend"
TIME_ZONE = "America/Chicago"
_WAIT_SECONDS = 90


class Command(BaseCommand):
    """Make the demo institution once and send its sample files by SFTP."""

    help = "Create the demo institution and send its sample files by SFTP. This is done only once."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make it, send, wait for the results, and write the logins to DATA_DIR/demo.json."""
        with tenancy.everyone("the demo makes a tenant"):
            if Tenant.objects.filter(slug=SLUG).exists():
                self.stdout.write("The demo institution already exists.")
                return
            accounts = self._make()
        path = Path(settings.DATA_DIR) / "demo.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"accounts": accounts}, indent=2), encoding="utf-8")
        self._write_samples()
        self._send(next(account for account in accounts if account["kind"] == "sftp"))
        with tenancy.everyone("the demo looks up its tenant"):
            tenant = Tenant.objects.get(slug=SLUG)
        with tenancy.scope(tenant.pk):
            self._export(tenant)

    def _make(self) -> list[dict[str, str]]:
        tenant = provision.tenant("Riverbend University", SLUG, TIME_ZONE)
        endpoint = provision.endpoint(tenant)
        accounts = []
        for login, role in (("admin", Role.ADMIN), ("manager", Role.MANAGER)):
            email, password = f"{login}@riverbend.example", _password()
            provision.user(email, password, tenant, role)
            label = str(Role(role).label)
            accounts.append({"kind": "web", "login": email, "password": password, "role": label})
        email, password = "operator@causeway.example", _password()
        provision.operator(email, password)
        accounts.append({"kind": "web", "login": email, "password": password, "role": "Operator"})
        password = _password()
        provision.account(endpoint, SLUG, password)
        accounts.append({"kind": "sftp", "login": SLUG, "password": password, "role": "SFTP"})
        return accounts

    def _write_samples(self) -> None:
        """Write the files that the announced `sftp` command sends."""
        folder = Path(settings.DATA_DIR) / "sample"
        folder.mkdir(exist_ok=True)
        for name, content in samples.another().files:
            (folder / name).write_bytes(content)

    def _send(self, account: dict[str, str]) -> None:
        host, port = split(settings.SFTP_BIND, "SFTP_BIND")
        yesterday = timezone.now().astimezone(ZoneInfo(TIME_ZONE)).date() - timedelta(days=1)
        sendings = [*samples.sendings(), samples.completions(yesterday)]
        key = fingerprint(Path(settings.SFTP_HOST_KEY_FILE))
        with sender.connected(
            WILDCARDS.get(host, host), port, account["login"], account["password"], key
        ) as client:
            sender.send(client, sendings, self.stdout.write)
            folders = sorted({sending.folder for sending in sendings if sending.folder})
            # One of the files with a manifest has no good reference.
            expected = sum(len(sending.files) == 2 for sending in sendings) - 1
            results = sender.results(client, folders, expected, _WAIT_SECONDS)
        for line in sorted(results.values()):
            self.stdout.write(line)

    def _export(self, tenant: Tenant) -> None:
        """Make an export of what was completed yesterday; it has no destination yet."""
        admin = User.objects.get(email="admin@riverbend.example")
        actor = Actor(admin)
        definition = define.Definition(
            name="Course completions",
            source={"events": ["courseCompletion"]},
            columns=[],
            format=Export.Format.CSV,
            name_pattern=names.DEFAULT,
            at=time(2),
            time_zone=tenant.time_zone,
            days=[*range(1, 8)],
            empty=Export.Empty.SKIP,
            compression=Export.Compression.NONE,
            trigger=Export.Trigger.NONE,
            keep_days=30,
        )
        export = define.create(tenant, actor, definition)
        run = define.run_now(export, actor, timezone.now())
        self.stdout.write(f"asked for the export of {run.local_date}")


def _password() -> str:
    return secrets.token_urlsafe(12)
