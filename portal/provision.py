"""Making what a tenant needs: the tenant, its endpoint with all folders, accounts and people.

One place for commands, the demo and the pages. All functions must be called across tenants or in
the scope of the tenant concerned.
"""

from __future__ import annotations

import asyncssh
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from portal.dropserver.jail import Jail
from portal.dropserver.paths import PARTS_DIRECTORY
from portal.models import (
    Account,
    AccountKey,
    Drop,
    Endpoint,
    Membership,
    Tenant,
    User,
)
from portal.records.catalog import catalog
from portal.records.definitions import Feed


class BadKey(ValueError):
    """A text that is no public key."""


def tenant(name: str, slug: str, time_zone: str) -> Tenant:
    """A new institution. time_zone: an IANA name."""
    return Tenant.objects.create(name=name, slug=slug, time_zone=time_zone)


def endpoint(owner: Tenant, name: str = "SFTP") -> Endpoint:
    """A hosted endpoint with a drop for each feed of the catalog, and its folders on disk."""
    with transaction.atomic():
        made = Endpoint.objects.create(tenant=owner, name=name)
        Drop.objects.bulk_create(_drop(made, feed) for feed in catalog().feeds())
    folders(made)
    return made


def _drop(place: Endpoint, feed: Feed) -> Drop:
    return Drop(
        tenant_id=place.tenant_id, endpoint=place, path=feed.folders[0].strip("/"), feed=feed.name
    )


def folders(place: Endpoint) -> None:
    """Make the endpoint's folder tree where it is missing; senders cannot make folders."""
    root = settings.DROPS_DIR / str(place.uid)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    (root / PARTS_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    with Jail(root) as jail:
        for drop in Drop.objects.filter(endpoint=place):
            jail.make_directory(tuple(drop.path.split("/")))


def account(
    place: Endpoint, username: str, password: str | None = None, key_line: str | None = None
) -> Account:
    """A login to an endpoint, with a password, a public key, or both. Raises BadKey."""
    with transaction.atomic():
        made = Account.objects.create(
            tenant_id=place.tenant_id,
            endpoint=place,
            username=username,
            password=make_password(password) if password else "",
        )
        if key_line:
            key(made, key_line)
    return made


def key(owner: Account, line: str, name: str = "") -> AccountKey:
    """A public key of an account, in any form OpenSSH writes. Raises BadKey."""
    try:
        public = asyncssh.import_public_key(line.strip())
    except (asyncssh.KeyImportError, ValueError) as exc:
        raise BadKey(
            "This is no public key. Paste the one line of the file that ends in .pub, such as "
            "ssh-ed25519 AAAA…"
        ) from exc
    return AccountKey.objects.create(
        tenant_id=owner.tenant_id,
        account=owner,
        name=name or public.get_comment() or "",
        line=public.export_public_key("openssh").decode().strip(),
        fingerprint=public.get_fingerprint(),
    )


def user(email: str, password: str, of: Tenant, role: str) -> User:
    """A person with a role in a tenant; one who exists keeps name and password."""
    with transaction.atomic():
        person = User.objects.filter(email=email.strip().lower()).first()
        person = person or User.objects.create_user(email, password)
        Membership.objects.update_or_create(tenant=of, user=person, defaults={"role": role})
    return person


def operator(email: str, password: str) -> User:
    """A person who hosts the portal and sees every tenant."""
    return User.objects.create_user(email, password, is_operator=True)
