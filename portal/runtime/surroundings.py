"""The environment of the product's programs; what the user has set takes precedence."""

import os
import socket
from collections.abc import Mapping

from portal.runtime.datadir import DataDirectory
from portal.runtime.keys import Keys
from portal.runtime.ports import WILDCARDS, BindAddress

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def given(name: str, environment: Mapping[str, str] | None = None) -> bool:
    """Whether the user set a variable, by itself or by a file."""
    source = os.environ if environment is None else environment
    return bool(source.get(name) or source.get(f"{name}_FILE"))


def allowed_hosts(address: BindAddress) -> str:
    """Host names by which the web process may be reached on its bind address."""
    extra: list[str] = [address.host]
    if address.host in WILDCARDS:
        extra = [socket.gethostname(), socket.getfqdn()]
    names = [f"[{name}]" if ":" in name else name for name in extra]
    return ",".join(dict.fromkeys([*LOCAL_HOSTS, *names]))


def build(
    data: DataDirectory,
    keys: Keys,
    http_address: BindAddress,
    sftp: BindAddress,
    servers: dict[str, str],
) -> dict[str, str]:
    """The whole environment. servers: DATABASE_URL and REDIS_URL of the embedded ones."""
    defaults = {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "SFTP_HOST_KEY_FILE": str(keys.host_key),
        "LOG_FORMAT": "console",
        "ALLOWED_HOSTS": allowed_hosts(http_address),
        "PUBLIC_URL": http_address.url.rstrip("/"),
        "SFTP_PUBLIC": f"{sftp.reachable_host}:{sftp.port}",
    }
    if not given("SECRET_KEY"):
        defaults["SECRET_KEY_FILE"] = str(keys.secret_key)
    if not given("VAULT_KEYS"):
        defaults["VAULT_KEYS_FILE"] = str(keys.vault_keys)
    fixed = {
        "DATA_DIR": str(data.path),
        "HTTP_BIND": http_address.bind,
        "SFTP_BIND": sftp.bind,
        "PYTHONUNBUFFERED": "1",
        **servers,
    }
    return defaults | {k: v for k, v in os.environ.items() if v or k not in defaults} | fixed
