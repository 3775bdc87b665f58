"""`manage.py set_addresses`: where a sender's account may log in from."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models.functions import Lower

from portal import provision, tenancy
from portal.dropserver.usernames import account_name
from portal.faults import Refused
from portal.models import Account


class Command(BaseCommand):
    """Show the allowed addresses of an account, or replace them."""

    help = (
        "Show or replace the addresses that a sender's account may log in from. A change applies "
        "to the next login; sessions that are open stay open."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", metavar="SLUG", help="the institution")
        parser.add_argument("username")
        parser.add_argument(
            "networks",
            nargs="*",
            metavar="NETWORK",
            help="an IP address or network, such as 203.0.113.0/24; without any, show them",
        )
        parser.add_argument("--anywhere", action="store_true", help="allow every address")

    def handle(self, *_args: Any, **options: Any) -> None:
        addresses = options["networks"]
        if addresses and options["anywhere"]:
            raise CommandError("Expected either networks or --anywhere, found both.")
        if addresses and not any(text.strip() for text in addresses):
            raise CommandError("Found blank networks only. Use --anywhere to allow every address.")
        account = _account(options["tenant"], options["username"])
        if addresses or options["anywhere"]:
            account = _changed(account, addresses)
        addresses = account.allowed_networks
        where = ", ".join(map(str, addresses)) if account.is_limited else "anywhere"
        self.stdout.write(f"{account.username} may log in from {where}")


def _changed(account: Account, addresses: list[str]) -> Account:
    try:
        with tenancy.scope(account.tenant_id):
            return provision.set_addresses(account, addresses)
    except Refused as refused:
        raise CommandError(" ".join(refused.sentences)) from None


def _account(slug: str, username: str) -> Account:
    """The institution's account of that name, compared as at a login. Raises CommandError."""
    try:
        tenant = provision.named(slug)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    names = {username.lower(), account_name(username.lower())}
    with tenancy.scope(tenant.pk):
        rows = Account.objects.filter(tenant=tenant).annotate(folded=Lower("username"))
        account = rows.filter(folded__in=names).first()
        if account is None:
            usernames = ", ".join(rows.order_by("username").values_list("username", flat=True)[:20])
            raise CommandError(
                f"{slug} has no account {username}. There are: {usernames or 'none yet'}."
            )
    return account
