"""What people and scripts need to know: where the product answers and how to log in."""

import json
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from portal.runtime.datadir import DataDirectory, write_private
from portal.runtime.keys import fingerprint
from portal.runtime.ports import BindAddress

SHARED = (
    *("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY_FILE", "VAULT_KEYS_FILE"),
    *("SFTP_HOST_KEY_FILE", "SFTP_BIND", "SFTP_PUBLIC", "PUBLIC_URL", "ALLOWED_HOSTS"),
)


def demo_accounts(data: DataDirectory) -> list[dict[str, Any]]:
    """The accounts that the demo command has written: a list, or an object with "accounts"."""
    try:
        content = json.loads(data.demo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    accounts = content.get("accounts", []) if isinstance(content, dict) else content
    return [account for account in accounts if isinstance(account, dict)]


def announcement(
    data: DataDirectory,
    environment: Mapping[str, str],
    http_address: BindAddress,
    sftp: BindAddress,
    pids: dict[str, int],
) -> dict[str, Any]:
    """The content of up.json."""
    host_key = environment["SFTP_HOST_KEY_FILE"]
    return {
        "web": http_address.url,
        "sftp": {
            "host": sftp.reachable_host,
            "port": sftp.port,
            "fingerprint": fingerprint(Path(host_key)),
        },
        "accounts": demo_accounts(data),
        "database_url": environment.get("DATABASE_URL", ""),
        "redis_url": environment.get("REDIS_URL", ""),
        # manage.py sets these, so that its commands use the running product.
        "environment": {name: environment[name] for name in SHARED if name in environment},
        "pids": pids,
    }


def write(data: DataDirectory, content: dict[str, Any]) -> None:
    """Write up.json, readable by its owner only."""
    write_private(data.announcement, content)


def lines(content: dict[str, Any], data: DataDirectory) -> list[str]:
    """The lines that the launcher prints when everything is ready."""
    sftp = content["sftp"]
    output = [
        f"Web      {content['web']}",
        f"SFTP     {sftp['host']} port {sftp['port']}, host key {sftp['fingerprint']}",
    ]
    output += [login(account) for account in content["accounts"]]
    output += [
        f"Send     {send_command(sftp, account, data)}"
        for account in content["accounts"]
        if account.get("kind") == "sftp"
    ]
    return [*output, f"Scripts  {data.announcement}", f"Logs     {data.log}", "Stop     Ctrl-C"]


def login(account: dict[str, Any]) -> str:
    """The line of an account."""
    what = account.get("role") or account.get("kind") or "account"
    return f"Login    {account.get('login')}  password {account.get('password')}  ({what})"


def send_command(sftp: dict[str, Any], account: dict[str, Any], data: DataDirectory) -> str:
    """The command that sends the demo's sample file, or opens a session without that file."""
    session = f"sftp -P {sftp['port']} {account.get('login')}@{sftp['host']}"
    sample = data.path / "sample"
    if not sample.is_dir():
        return session
    put = f"put {quote(str(sample))}/more_accounts.*"
    return f"echo {quote(put)} | {session}:Accounts/AccountImports"
