"""The portal's application: start-up checks, and row-level security after each migration."""

from django.apps import AppConfig
from django.core import checks as registry
from django.db.models.signals import post_migrate


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # The models must be loaded first.
        from portal import checks, rls  # noqa: PLC0415
        from portal.records import kinds  # noqa: PLC0415

        post_migrate.connect(rls.after_migrate, sender=self)
        post_migrate.connect(kinds.after_migrate, sender=self)
        for check in checks.ALL:
            registry.register(check)
        registry.register(checks.database, registry.Tags.database)
