"""What a person may do with deliveries and servers. Who may is checked by the caller."""

from __future__ import annotations

from exports import secrets
from exports.models import Server
from exports.sending import limits
from portal import vault
from portal.transports.probing import Probe, Step, probe


class NotPossible(Exception):
    """It cannot be done with the delivery as it is by now. Nothing was changed."""


def test(server: Server, path: str) -> Probe:
    """Test the connection to a server, saved or not, and a folder of it.

    Takes up to EXPORT_CONNECT_SECONDS and more. Without a pinned key it stops before the login and
    tells the key that the server shows. Never raises for the server's sake.
    """
    try:
        place = secrets.place_of(server)
    except vault.VaultError as error:
        words = f"The stored password or key cannot be opened, by the portal's fault: {error}"
        return Probe(False, [Step("login", False, words)])
    return probe(place, path, limits())
