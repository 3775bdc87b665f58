"""What a person does with the servers that files are sent to: make, change, pin, delete.

Secrets are sealed before they are stored (`exports/secrets.py`) and never shown again. A server
whose host or port changes loses its pinned key: it was that of another machine. The paths of the
faults are names of fields of `Access`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from exports import secrets
from exports.addresses import Address
from exports.models import Server
from portal import audit, constraints
from portal.changes import Actor
from portal.faults import Fault, Refused
from portal.models import Tenant

_MOST_NAMES = 100  # that are tried for a login, before a person has to choose one


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a person enters for a server. password, private_key: None leaves what is stored."""

    name: str
    host: str
    port: int
    username: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """The server and folder of a pasted URL. is_new: the server was made just now."""

    server: Server
    path: str
    is_new: bool


def create(tenant: Tenant, actor: Actor, access: Access) -> Server:
    """Make a server. Raises Refused for a name that is taken and for what is no private key."""
    server = Server(tenant=tenant)
    _fill(server, access)
    _save(server, actor, "server.create")
    return server


def change(server: Server, actor: Actor, access: Access) -> None:
    """Change it. Raises Refused for a name that is taken and for what is no private key."""
    if (server.host, server.port) != (access.host, access.port):
        server.host_key = server.host_key_type = ""
    _fill(server, access)
    _save(server, actor, "server.change")


def _fill(server: Server, access: Access) -> None:
    server.name, server.host = access.name, access.host
    server.port, server.username = access.port, access.username
    if access.password is not None:
        server.password = secrets.seal_password(server, access.password)
    if access.private_key is not None:
        server.private_key = secrets.seal_private_key(server, access.private_key)


def _save(server: Server, actor: Actor, action: str) -> None:
    try:
        with transaction.atomic():
            server.save()
            _audit(server, actor, action, host=server.host, port=server.port)
    except IntegrityError as error:
        if constraints.violated(error) != "one_server_per_name":
            raise
        message = "Another server has this name. Choose another one."
        raise Refused(Fault(("name",), "name_taken", message)) from error


def from_url(tenant: Tenant, actor: Actor, address: Address) -> ServerFolder:
    """The server of a pasted URL, made where no server has this login yet.

    Raises Refused where the server has another password: that is changed on the server's page.
    """
    server = Server.objects.filter(
        tenant=tenant, host=address.host, port=address.port, username=address.username
    ).first()
    if server is None:
        return ServerFolder(_create_named(tenant, actor, address), address.path, True)
    if address.password and secrets.password_of(server) != address.password:
        message = (
            "The server “%(name)s” already has this login, with a different password. "
            "Change the password on that server's page, or paste the address without a "
            "password."
        )
        raise Refused(Fault(("password",), "other_password", message, {"name": server.name}))
    return ServerFolder(server, address.path, False)


def _create_named(tenant: Tenant, actor: Actor, address: Address) -> Server:
    """A server of the first name after its login that no other server has."""
    name = f"{address.username}@{address.host}"[:180]
    for number in itertools.count(1):
        access = Access(
            name=name if number == 1 else f"{name} ({number})",
            host=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
        )
        try:
            return create(tenant, actor, access)
        except Refused:
            if number >= _MOST_NAMES:
                raise
    raise AssertionError


def pin(server: Server, actor: Actor, key: str, kind: str) -> None:
    """Trust this host key from now on. key: "SHA256:…"; kind: such as ssh-ed25519."""
    server.host_key, server.host_key_type = key, kind
    with transaction.atomic():
        server.save(update_fields=["host_key", "host_key_type"])
        _audit(server, actor, "server.pin", key=key, kind=kind)


def unpin(server: Server, actor: Actor) -> None:
    """Trust no host key: nothing is sent until one is pinned."""
    was = server.host_key
    server.host_key = server.host_key_type = ""
    with transaction.atomic():
        server.save(update_fields=["host_key", "host_key_type"])
        _audit(server, actor, "server.unpin", key=was)


def delete(server: Server, actor: Actor) -> None:
    """Delete it. Raises Refused while an export sends to it or its deliveries are listed."""
    try:
        with transaction.atomic():
            _audit(server, actor, "server.delete", name=server.name)
            server.delete()
    except ProtectedError as error:
        message = (
            "An export uses this server, or its deliveries are still listed. Remove it "
            "from the exports first. A server that has received files is kept for the "
            "history."
        )
        raise Refused(Fault((), "in_use", message)) from error


def _audit(server: Server, actor: Actor, action: str, **detail: str | int) -> None:
    audit.record(
        server.tenant_id, action, str(server.uid),
        user=actor.user, address=actor.address, **{"name": server.name, **detail},
    )  # fmt: skip
