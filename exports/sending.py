"""One attempt to bring a file to a folder of a partner's server."""

from __future__ import annotations

from django.conf import settings

from portal.transports import targets
from portal.transports.sftp import Limits


def limits() -> Limits:
    """The limits of seed 000, and the networks that the operator allows."""
    return Limits(
        settings.EXPORT_CONNECT_SECONDS,
        settings.EXPORT_TRANSFER_SECONDS,
        targets.networks(settings.EXPORT_ALLOWED_NETWORKS),
    )
