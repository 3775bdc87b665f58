"""`manage.py create_user`: a person who logs in to the pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import provision
from portal.models import Role


class Command(BaseCommand):
    """Make a member of a tenant, or an operator; print a generated password once."""

    help = "Create a person who logs in to the pages, and print their password once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--tenant", metavar="SLUG", help="the institution they belong to")
        parser.add_argument(
            "--role", choices=Role.values, help="what they may do there (default: viewer)"
        )
        parser.add_argument(
            "--change-role", action="store_true", help="give a member another role than before"
        )
        parser.add_argument("--operator", action="store_true", help="sees every institution")

    def handle(self, *_args: Any, **options: Any) -> None:
        if bool(options["tenant"]) == options["operator"]:
            raise CommandError("Specify either --tenant SLUG or --operator.")
        if options["operator"] and (options["role"] or options["change_role"]):
            raise CommandError("An operator sees every institution and has no role in one.")
        password = provision.new_password()
        try:
            if options["operator"]:
                person = provision.operator(options["email"], password)
            else:
                tenant = provision.named(options["tenant"])
                role = options["role"] or Role.VIEWER
                change = options["change_role"]
                person = provision.user(
                    options["email"], password, tenant, role, change_role=change
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if person.check_password(password):
            self.stdout.write(f"{person.email} logs in with the password {password}")
        else:
            self.stdout.write(f"{person.email} already exists and keeps their password.")
