"""`manage.py create_account`: a sender's login on an institution's SFTP endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import keys, provision, tenancy
from portal.dropserver.usernames import ftps_form
from portal.faults import Refused
from portal.models import Account, Endpoint


class Command(BaseCommand):
    """Make an account; without a key print a generated password once."""

    help = "Create a sender's login on an institution's SFTP endpoint, and print its password once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", metavar="SLUG", help="the institution")
        parser.add_argument("username", help="the login, such as sis")
        parser.add_argument(
            "--template",
            nargs=2,
            metavar=("DISTRICT", "ST"),
            help="its files go through import templates: the district's name and the state",
        )
        parser.add_argument(
            "--from",
            action="append",
            default=[],
            dest="addresses",
            metavar="NETWORK",
            help="it may log in only from this IP address or network; may be repeated",
        )
        parser.add_argument(
            "--key",
            metavar="FILE",
            type=Path,
            help="log in with this public key (such as id_ed25519.pub) instead of a password",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        line = _line(options["key"]) if options["key"] else None
        password = None if line else provision.new_password()
        try:
            endpoint = _endpoint(options["tenant"])
            account = _make(endpoint, options, password, line)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except keys.PublicKeyRefused as error:
            raise CommandError(f"{options['key']}: {error}") from None
        except Refused as refused:
            raise CommandError(" ".join(refused.sentences)) from None
        how = f"the password {password}" if password else f"the key in {options['key']}"
        self.stdout.write(f"{account.username} logs in with {how}")
        if account.is_limited:
            self.stdout.write(f"It logs in only from {', '.join(account.allowed_networks)}")
        if account.home:
            self.stdout.write(f"{ftps_form(account.username)} is accepted as the same login")


def _make(
    endpoint: Endpoint, options: dict[str, Any], password: str | None, line: str | None
) -> Account:
    base, addresses = options["username"], options["addresses"]
    if not options["template"]:
        return provision.account(endpoint, base, password, line, addresses=addresses)
    district, state = options["template"]
    return provision.template_account(endpoint, base, district, state, password, line, addresses)


def _endpoint(slug: str) -> Endpoint:
    tenant = provision.named(slug)
    with tenancy.everyone("an operator names the institution"):
        endpoint = Endpoint.objects.filter(tenant=tenant).order_by("pk").first()
    if endpoint is None:
        raise ValidationError(f"The institution {slug} has no endpoint for files.")
    return endpoint


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
