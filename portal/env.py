"""The environment: typed values, errors for malformed ones, secrets also from `NAME_FILE`."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")


def text(name: str, default: str = "") -> str:
    """The variable as text. An empty variable counts as unset, as docker-compose passes it."""
    return os.environ.get(name) or default


def exact(name: str, default: str) -> str:
    """The variable as text, where an empty one has its own meaning."""
    return os.environ.get(name, default)


def choice(name: str, options: Collection[str], default: str) -> str:
    """The variable as one of the options. Raises ImproperlyConfigured for any other word."""
    value = text(name, default)
    if value not in options:
        raise ImproperlyConfigured(f"{name} is {value!r}: expected {' or '.join(options)}.")
    return value


def flag(name: str, default: bool = False) -> bool:
    """The variable as a yes or no. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name)
    if not value:
        return default
    folded = value.strip().lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}: expected yes or no.")


def number(name: str, default: int) -> int:
    """The variable as a whole number. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name} is {value!r}: expected a whole number.") from exc


def words(name: str, default: str = "") -> list[str]:
    """The variable as a list, separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str) -> str:
    """The variable, or the content of the file that `NAME_FILE` names.

    Raises ImproperlyConfigured where the file cannot be read.
    """
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return text(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ImproperlyConfigured(f"{name}_FILE names {path}: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise ImproperlyConfigured(f"{name}_FILE names {path}: it is not UTF-8 text.") from exc


def database(url: str) -> dict[str, Any]:
    """The NAME, USER, PASSWORD, HOST, PORT and OPTIONS of a PostgreSQL URL, for Django's DATABASES.

    Percent-encoded parts are decoded. There may be several hosts, separated by commas. The query
    holds libpq's parameters, such as `sslmode`; its `host` may be the directory of a socket. Raises
    ImproperlyConfigured, in words that hold nothing of the URL: it has a password.
    """
    parts = urlsplit(url.replace("#", "%23"))
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    addresses = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if parts.scheme not in ("postgres", "postgresql") or None in addresses:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read: expected postgres://user:password@host:port/name, with "
            "the characters / ? : @ in the user name and the password percent-encoded."
        )
    options = dict(parse_qsl(parts.query))
    named = [address for address in addresses if address is not None]
    return {
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": options.pop("host", ",".join(unquote(address[1]).strip("[]") for address in named)),
        "PORT": ",".join(address[2] or "" for address in named).strip(","),
        "OPTIONS": options,
    }
