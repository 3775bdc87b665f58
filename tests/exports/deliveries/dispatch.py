"""An institution with servers, a frozen file and deliveries of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from exports import delivery as deliveries
from exports import secrets
from exports.models import Attempt, Delivery, Export, ExportRun, Server
from portal.models import Membership, Role, Tenant, User
from portal.transports.ssh import ServerLogin

NAME = "courseCompletion-1589259213_2020-05-18T18-00-13-7vcph2i.csv"
CONTENT = "".join(f"{n},completed,ada{n}@oak.example\r\n" for n in range(40_000)).encode()


@dataclass
class Dispatch:
    """tenant: in whose scope the test runs. user: an admin of it."""

    tenant: Tenant
    user: User

    @classmethod
    def new(cls, tenant: Tenant | None = None) -> Dispatch:
        """Of the given tenant, or the only one there is."""
        tenant = tenant or Tenant.objects.get()
        user = User.objects.create_user(f"ada@{tenant.slug}.example")
        Membership.objects.create(tenant=tenant, user=user, role=Role.ADMIN)
        return cls(tenant, user)

    def server(self, place: ServerLogin, name: str = "Partner") -> Server:
        server = Server(
            tenant=self.tenant, name=name, host=place.host, port=place.port,
            username=place.username, host_key=place.host_key, host_key_type=place.host_key_type,
        )  # fmt: skip
        server.password = secrets.seal_password(server, place.password)
        server.private_key = secrets.seal_private_key(server, place.private_key)
        server.save()
        return server

    def run(self, content: bytes = CONTENT, name: str = NAME, trigger: str = "") -> ExportRun:
        export, _ = Export.objects.get_or_create(
            tenant=self.tenant,
            name="Nightly",
            defaults={"name_pattern": "x", "at": time(2), "time_zone": "America/New_York"},
        )
        stored = default_storage.save("exports/file", ContentFile(content))
        start = datetime(2026, 5, 18, 4, tzinfo=UTC)
        return ExportRun.objects.create(
            tenant=self.tenant, export=export, kind=ExportRun.Kind.RERUN,
            local_date=date(2026, 5, 18), window_start=start, window_end=start + timedelta(days=1),
            definition={"trigger": trigger}, state=ExportRun.State.WRITTEN, file_name=name,
            content=stored, size=len(content), sha256=hashlib.sha256(content).hexdigest(),
        )  # fmt: skip

    def delivery(
        self, to: ServerLogin | Server, run: ExportRun | None = None, path: str = "", **of_run: str
    ) -> Delivery:
        server = to if isinstance(to, Server) else self.server(to)
        delivery = Delivery.objects.create(
            tenant=self.tenant, run=run or self.run(**of_run), server=server, path=path
        )
        delivery.refresh_from_db()
        return delivery

    def deliver(self, delivery: Delivery) -> Attempt:
        """Make the delivery's next attempt, now, and return its row."""
        waiting = Delivery.objects.filter(pk=delivery.pk, state__in=Delivery.WAITING_STATES)
        waiting.update(ready_at=Now())
        deliveries.deliver_next(self.tenant.pk)
        delivery.refresh_from_db()
        last = delivery.log.order_by("number").last()
        assert last is not None
        return last
