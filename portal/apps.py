"""The portal's application: start-up checks, and row-level security after each migration."""

from django.apps import AppConfig
from django.core import checks as registry
from django.db.models.signals import post_migrate


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Models must be loaded first.
        from portal import checks, provision, rls  # noqa: PLC0415
        from portal.records import views  # noqa: PLC0415

        for after_migrate in (rls.after_migrate, provision.after_migrate, views.after_migrate):
            post_migrate.connect(after_migrate, sender=self)
        for check in checks.ALL:
            registry.register(check)
        registry.register(checks.database, registry.Tags.database)
