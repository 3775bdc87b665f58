"""Creation of a tenant and what it needs to send: endpoint, drops, folders, accounts, people.

Also the rows that the catalog implies (`record_kinds`). The management commands, the first start
and tests use it; each function opens the scope that it needs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models.functions import Lower

from portal import audit, keys, tenancy, zones
from portal.changes import ChangedMeanwhile, fingerprint
from portal.dropserver import networks, usernames
from portal.dropserver.folders import folders
from portal.dropserver.rights import HOMES
from portal.faults import Fault
from portal.models import (
    Account,
    AccountKey,
    Drop,
    Endpoint,
    Membership,
    RecordKind,
    Role,
    Tenant,
    User,
)
from portal.records.catalog import catalog

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def tenant(name: str, slug: str, time_zone: str = "America/New_York") -> Tenant:
    """Make a tenant. Raises ValidationError for a slug that is taken or an unknown time zone."""
    if time_zone not in zones.names():
        raise ValidationError(
            f"{time_zone} is not an IANA time zone. Expected one such as America/New_York."
        )
    row = Tenant(name=name, slug=slug, time_zone=time_zone)
    row.full_clean()
    row.save()
    return row


def named(slug: str) -> Tenant:
    """The tenant with that slug. Raises ValidationError with the slugs that there are."""
    with tenancy.everyone("an operator names the institution"):
        row = Tenant.objects.filter(slug=slug).first()
        if row is None:
            slugs = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise ValidationError(
                f"No institution has the slug {slug}. There are: {slugs or 'none yet'}."
            )
    return row


def endpoint(owner: Tenant, name: str = "SFTP") -> Endpoint:
    """Make a hosted endpoint with a drop for every feed of the catalog, and its folders."""
    with tenancy.scope(owner.pk), transaction.atomic():
        row = Endpoint.objects.create(tenant=owner, name=name)
        Drop.objects.bulk_create(
            Drop(tenant=owner, endpoint=row, path=feed.folders[0], feed=feed.name)
            for feed in catalog().feeds()
            if feed.folders
        )
    folders(row)
    return row


def account(
    place: Endpoint,
    username: str,
    password: str | None = None,
    key_line: str | None = None,
    home: str = "",
    addresses: Sequence[str] = (),
) -> Account:
    """Make a login on the endpoint, with a password, a public key, or both.

    home: see `Account`. addresses: where it may log in from; anywhere without them. Raises
    ValidationError for a name that is taken or unfit, or if there is neither password nor key;
    PublicKeyRefused; Refused for addresses that are none.
    """
    if not password and key_line is None:
        raise ValidationError("An account needs a password or a public key.")
    if not _USERNAME.fullmatch(username):
        raise ValidationError(
            f"{username!r} cannot be a user name. Expected 1 to 64 letters, digits, '.', '_' "
            "and '-', beginning with a letter or digit."
        )
    parsed = keys.parse(key_line) if key_line is not None else None
    row = Account(
        tenant_id=place.tenant_id,
        endpoint=place,
        username=username,
        password=make_password(password) if password else "",
        home=home,
        allowed_networks=networks.parse(addresses),
    )
    with tenancy.everyone("a user name is unique across tenants"), transaction.atomic():
        if _is_taken(username):
            raise ValidationError(f"The user name {username} is taken. Choose another.")
        row.save()
        if parsed:
            _key(row, parsed)
    return row


def template_account(
    place: Endpoint,
    base: str,
    district: str,
    state: str,
    password: str | None = None,
    key_line: str | None = None,
    addresses: Sequence[str] = (),
) -> Account:
    """Make a login whose files go through import templates (seed 003), with a home and its drop.

    base: the person's user name. Raises as `account`, ValidationError for parts that cannot form a
    login name, OSError if the folder cannot be made.
    """
    try:
        username = usernames.sftp_form(base, district, state)
    except usernames.NameRefused as refused:
        raise ValidationError(str(refused)) from None
    home = f"{HOMES}/{username}"
    with tenancy.scope(place.tenant_id), transaction.atomic():
        row = account(place, username, password, key_line, home, addresses)
        Drop.objects.create(
            tenant_id=place.tenant_id, endpoint=place, path=home, protocol=Drop.Protocol.TEMPLATE
        )
    folders(place)
    return row


def set_addresses(
    owner: Account,
    addresses: Sequence[str],
    *,
    seen: str | None = None,
    user: User | None = None,
    address: str | None = None,
) -> Account:
    """Set where the account may log in from, anywhere without addresses; return its row.

    It applies to the next login. seen: the fingerprint of what the person saw; None where nobody
    looked before. Raises Refused with a fault for each wrong one, ChangedMeanwhile.
    """
    allowed = networks.parse(addresses)
    with transaction.atomic():
        rows = Account.objects.filter(tenant_id=owner.tenant_id, pk=owner.pk)
        fresh = rows.select_for_update(no_key=True, of=("self",)).get()
        if seen is not None and seen != fingerprint(fresh.allowed_networks):
            message = "Somebody else has changed the addresses meanwhile. Nothing was saved."
            raise ChangedMeanwhile(Fault((), "changed_meanwhile", message))
        before = fresh.allowed_networks
        if before != allowed:
            fresh.allowed_networks = allowed
            fresh.save(update_fields=["allowed_networks"])
            audit.record(
                fresh.tenant_id, "account.addresses", fresh.username,
                user=user, address=address, old=before, new=allowed,
            )  # fmt: skip
    return fresh


def _is_taken(username: str) -> bool:
    """Whether an account has the name, in either of its forms and in any case."""
    forms = {username, usernames.account_name(username), usernames.ftps_form(username)}
    folded = Account.objects.annotate(folded=Lower("username"))
    return folded.filter(folded__in=[form.lower() for form in forms]).exists()


def key(owner: Account, line: str, name: str = "") -> AccountKey:
    """Let a public key log in to the account.

    Raises PublicKeyRefused; IntegrityError where the account has the key already.
    """
    return _key(owner, keys.parse(line), name)


def _key(owner: Account, parsed: keys.PublicKey, name: str = "") -> AccountKey:
    return AccountKey.objects.create(
        tenant_id=owner.tenant_id,
        account=owner,
        name=name or parsed.comment,
        line=parsed.line,
        fingerprint=parsed.fingerprint,
    )


def user(
    email: str, password: str, owner: Tenant, role: str = Role.VIEWER, *, change_role: bool = False
) -> User:
    """Make a person a member of the tenant; an existing person keeps their password.

    change_role: whether a member's role may become another one. Raises ValidationError for an
    unfit address, password or role, for a member who has another role, and where the change would
    leave the tenant without an admin.
    """
    if role not in Role.values:
        raise ValidationError(f"{role} is not a role. Expected {', '.join(Role.values)}.")
    with transaction.atomic():
        person = User.objects.filter(email=email.strip().lower()).first()
        if person is None:
            person = _person(email, password)
        _join(person, owner, role, change_role)
    return person


def _join(person: User, owner: Tenant, role: str, change_role: bool) -> None:
    members = Membership.objects.select_for_update().filter(tenant=owner)
    current = members.filter(user=person).first()
    if current is None:
        Membership.objects.create(tenant=owner, user=person, role=role)
        return
    if current.role == role:
        return
    if not change_role:
        raise ValidationError(
            f"{person.email} is already a member of {owner.slug} with the role {current.role}; "
            f"nothing was changed. Add --change-role to give them the role {role}."
        )
    admins = members.filter(role=Role.ADMIN).exclude(user=person)
    if current.role == Role.ADMIN and not admins.exists():
        raise ValidationError(
            f"{person.email} is the only admin of {owner.slug}; nothing was changed. Make "
            "somebody else an admin first."
        )
    current.role = role
    current.save(update_fields=["role"])


def operator(email: str, password: str) -> User:
    """Make a person who hosts the portal and sees every tenant. Raises ValidationError."""
    return _person(email, password, is_operator=True)


def new_password() -> str:
    """A password to hand over once: 24 characters that need no quoting."""
    return secrets.token_urlsafe(18)


def record_kinds(using: str = DEFAULT_DB_ALIAS) -> None:
    """Update the rows of the record types from the catalog. Their ids never change."""
    rows = RecordKind.objects.using(using)
    stored = {name: rest for name, *rest in rows.values_list("name", "label", "pack")}
    for record_type in catalog().order():
        if stored.get(record_type.name) != [record_type.label, record_type.pack]:
            rows.update_or_create(
                name=record_type.name,
                defaults={"label": record_type.label, "pack": record_type.pack},
            )


def after_migrate(using: str, **_kwargs: Any) -> None:
    """The post_migrate receiver."""
    record_kinds(using)


def _person(email: str, password: str, **extra: Any) -> User:
    person = User(email=email.strip().lower(), **extra)
    validate_password(password, person)
    person.set_password(password)
    person.full_clean()
    person.save()
    return person
