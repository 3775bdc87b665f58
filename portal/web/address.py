"""Where a request comes from: the peer, or what our own proxy says where one stands in front."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def client(request: HttpRequest) -> str:
    """The client's address as text, empty where it is unknown (a unix socket, a bad header).

    With BEHIND_PROXY it is the last address in X-Forwarded-For: the one our proxy added. All
    before it is the client's own claim. Without, the header is not believed at all.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.BEHIND_PROXY:
        return _parsed(peer)
    claimed = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return _parsed(claimed.rpartition(",")[2].strip() or peer)


def is_local(request: HttpRequest) -> bool:
    """Whether the request was made on this machine, and not passed on by a proxy on it."""
    if not settings.BEHIND_PROXY and any(name in request.META for name in FORWARDED):
        return False
    address = client(request)
    return bool(address) and ipaddress.ip_address(address).is_loopback


def _parsed(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
