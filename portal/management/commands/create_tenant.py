"""`manage.py create_tenant`: an institution with its SFTP endpoint and all its folders."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.text import slugify

from portal import provision


class Command(BaseCommand):
    """Make tenant, endpoint, drops and folders, all or nothing."""

    help = "Create an institution with its SFTP endpoint and the folders of every feed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help='the institution, such as "Oak College"')
        parser.add_argument("--slug", help="its short name (default: derived from the name)")
        parser.add_argument(
            "--time-zone", default="America/New_York", help="IANA name (default: %(default)s)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        slug = options["slug"] or slugify(options["name"])[:40]
        try:
            with transaction.atomic():
                tenant = provision.tenant(options["name"], slug, options["time_zone"])
                provision.endpoint(tenant)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except OSError as error:
            raise CommandError(
                f"The folders cannot be created: {error}. Run this where DROPS_DIR is, as "
                "the drop server's user."
            ) from None
        self.stdout.write(f"{tenant.name} has its SFTP folders. Its slug is {tenant.slug}")
        self.stdout.write(f"Next: manage.py create_user EMAIL --tenant {tenant.slug} --role admin")
        self.stdout.write(f"      manage.py create_account {tenant.slug} NAME")
