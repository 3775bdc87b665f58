"""`manage.py setup`: schema and static files in one go, as the database's owner."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Prepare the start of a new version. Safe to repeat."""

    help = "Migrate the database and collect the static files."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run both."""
        call_command("migrate", interactive=False, verbosity=1)
        call_command("collectstatic", interactive=False, verbosity=0)
