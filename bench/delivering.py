"""Delivery of one big file: the product's sending against OpenSSH's sftp client, one server.

Both put the same random file into the same sshd over loopback, in turns, several rounds, each in a
process of its own. Connecting, logging in, the look at the folder, the check of size and checksum
and the rename are timed; starting Python is not, since a courier has long been running. A ratio is
the median of the rounds' own ratios.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import sshd as openssh

ROOT = Path(__file__).resolve().parent.parent
TARGET = 0.8  # of the peer's throughput
_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of one round."""

    ours: float
    peer: float


def run(directory: Path, size: int, rounds: int) -> int:
    """Measure and print. Returns the exit status: 1 where the target is missed."""
    if not openssh.HAS_SSHD:
        print(f"delivery: not measured, {openssh.SKIP}")
        return 0
    file = directory / "file"
    digest = _write(file, size)
    with openssh.running(directory / "server") as server:
        measured = [_round(server, file, digest) for _ in range(rounds)]
    ours, peer = (
        statistics.median(values)
        for values in zip(*((r.ours, r.peer) for r in measured), strict=True)
    )
    ratio = statistics.median(r.peer / r.ours for r in measured)
    megabytes = size / _MIB
    print(f"delivery of {megabytes:,.0f} MiB, {rounds} rounds, medians")
    print(f"  OpenSSH sftp   {peer:6.2f} s   {megabytes / peer:6.0f} MiB/s")
    print(f"  Causeway       {ours:6.2f} s   {megabytes / ours:6.0f} MiB/s")
    print(f"  ratio          {ratio:6.2f}     target at least {TARGET}")
    return int(ratio < TARGET)


def half(directory: Path, _rows: int, rounds: int, *, judged: bool) -> int:
    """As a part of bench/export: 1 GiB, or 64 MiB where speed is not judged."""
    directory.mkdir(parents=True, exist_ok=True)
    missed = run(directory, _GIB if judged else 64 * _MIB, rounds)
    return missed if judged else 0


def _write(file: Path, size: int) -> str:
    """A random file; its SHA-256."""
    digest = hashlib.sha256()
    with file.open("wb") as target:
        for start in range(0, size, _MIB):
            chunk = os.urandom(min(_MIB, size - start))
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _round(server: openssh.Sshd, file: Path, digest: str) -> Round:
    peer = _proved(server, lambda: _peer(server, file), digest)
    ours = _proved(server, lambda: _ours(server, file, digest), digest)
    return Round(ours, peer)


def _proved(server: openssh.Sshd, send: Callable[[], float], digest: str) -> float:
    """Seconds that it took, once the file has proved to be whole and alone."""
    os.sync()
    took = send()
    (arrived,) = server.root.iterdir()
    with arrived.open("rb") as content:
        assert hashlib.file_digest(content, "sha256").hexdigest() == digest
    arrived.unlink()
    return took


def _peer(server: openssh.Sshd, file: Path) -> float:
    place = server.place
    command = [
        *("sftp", "-q", "-b", "-", "-P", str(place.port), "-i", str(server.client_key)),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "IdentitiesOnly=yes", "-F", "none", f"{place.username}@{place.host}"),
    ]
    batch = f"put {file} .part\nrename .part final\n"
    began = time.perf_counter()
    subprocess.run(command, input=batch, text=True, check=True, capture_output=True)
    return time.perf_counter() - began


def _ours(server: openssh.Sshd, file: Path, digest: str) -> float:
    place = server.place
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "delivery_once.py"), str(file), digest),
            *(place.host, str(place.port), place.username, str(server.client_key), place.host_key),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "portal.settings"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)
