"""Child of bench/deliver: one delivery with the product's code, no database. Prints its seconds."""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from pathlib import Path

import django


class Unwatched:
    """A watch that ignores everything."""

    def step(self, name: str) -> None:
        pass

    def sent(self, count: int) -> None:
        pass


def main(file: Path, digest: str, host: str, port: str, user: str, key: Path, pin: str) -> None:
    from exports.sending import Parcel, send  # noqa: PLC0415 - needs Django
    from portal.transports.ssh import ConnectionLimits, ServerLogin  # noqa: PLC0415

    place = ServerLogin(host, int(port), user, "", key.read_text(), pin)
    size = file.stat().st_size
    parcel = Parcel("", "final", size, digest, ".part", lambda: file.open("rb"))
    limits = ConnectionLimits(60, 300, [ipaddress.ip_network("127.0.0.0/8")])
    began = time.perf_counter()
    send(place, parcel, Unwatched(), limits)
    print(time.perf_counter() - began)


if __name__ == "__main__":
    os.environ.setdefault("SECRET_KEY", "only-for-the-benchmark")
    django.setup()
    _, name, checksum, at, number, login, secret, fingerprint = sys.argv
    main(Path(name), checksum, at, number, login, Path(secret), fingerprint)
