"""The client's address of a request: the peer's, or behind a proxy what the proxy reports."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def client(request: HttpRequest) -> str:
    """The client's address as text; empty if it is unknown (a unix socket, a bad header).

    With BEHIND_PROXY it is the last address in X-Forwarded-For, which our proxy has added; the
    client may have forged the others. Without BEHIND_PROXY the header is ignored.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.BEHIND_PROXY:
        return _parsed(peer)
    claimed = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return _parsed(claimed.rpartition(",")[2].strip() or peer)


def is_local(request: HttpRequest) -> bool:
    """Whether the request was made on this machine and not forwarded by a proxy on it."""
    if not settings.BEHIND_PROXY and any(name in request.META for name in FORWARDED):
        return False
    address = client(request)
    return bool(address) and ipaddress.ip_address(address).is_loopback


def _parsed(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
