"""A17: 60 seconds to connect, five minutes in all, with shortened limits; nothing stays behind."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO

import psutil
import pytest

from exports.sending import Parcel, SendResult, limits, send
from portal.transports import targets
from portal.transports.deadline import Deadline
from portal.transports.faults import TransportFault, Unreachable
from portal.transports.ssh import ConnectionLimits, ServerLogin
from tests.exports.deliveries import proxy
from tests.exports.deliveries.dispatch import NAME
from tests.sshd import Sshd

CONTENT = os.urandom(24 << 20)
LOOPBACK = targets.networks(["127.0.0.0/8"])
# Seconds. A login that works is given more; the slack is for a machine with much else to do.
CONNECT, TRANSFER, SLACK = 1.0, 3.0, 4.0
SILENT = ConnectionLimits(CONNECT, TRANSFER, LOOPBACK)
STALLED = ConnectionLimits(TRANSFER, TRANSFER, LOOPBACK)
PATIENT = ConnectionLimits(20, 60, LOOPBACK)
AFTER_LOGIN = 1 << 20


@dataclass
class Notes:
    """Follows an attempt."""

    steps: list[str] = field(default_factory=list)
    count: int = 0

    def step(self, name: str) -> None:
        self.steps.append(str(name))

    def sent(self, count: int) -> None:
        self.count = count


def parcel(number: int = 1, content: bytes = CONTENT) -> Parcel:
    return Parcel(
        "", f"{number}-{NAME}", len(content), sha256(content).hexdigest(),
        f".{number}.part", lambda: BytesIO(content),
    )  # fmt: skip


def failing(place: ServerLogin, bounds: ConnectionLimits = SILENT) -> tuple[str, Notes, float]:
    """The words of an attempt that cannot succeed, what it noted, how long it took."""
    notes, began = Notes(), time.monotonic()
    with pytest.raises(Unreachable) as caught:
        send(place, parcel(), notes, bounds)
    return str(caught.value), notes, time.monotonic() - began


@pytest.mark.parametrize(
    ("says", "again"),
    [(b"", 0.0), (b"hello\r\n", 0.2), (b"S", 0.2), (b"SSH-2.0-slow\r\n", 0.0)],
    ids=["no banner", "dripping lines", "dripping bytes", "no key exchange"],
)
def test_a_server_that_says_nothing_of_use_is_left_in_time(says: bytes, again: float):
    with proxy.answering(says, again=again) as place:
        words, notes, took = failing(place)
    assert words == "The connection and login did not succeed within 1 s."
    assert notes.steps == ["resolve", "connect"]
    assert CONNECT - 0.1 <= took <= CONNECT + SLACK


def test_a_clock_that_is_set_shortens_no_time(monkeypatch: pytest.MonkeyPatch):
    hours, clock = itertools.count(), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 3600 * next(hours))
    with proxy.answering(b"SSH-2.0-slow\r\n", again=0.0) as place:
        words, _, took = failing(place)
    assert words == "The connection and login did not succeed within 1 s."
    assert took >= CONNECT - 0.1


def test_time_is_up_though_whoever_watches_it_comes_late():
    late = Deadline(0.0, TRANSFER)  # nobody watches
    with pytest.raises(Unreachable, match="did not succeed within 0 s"):
        late.check()


def test_an_endless_greeting_is_cut_off():
    with proxy.answering(b"x" * (1 << 20)) as place:
        words, _, _ = failing(place)
    assert "does not answer as an SSH server" in words
    assert "64 KiB" in words


def test_what_is_no_ssh_server_is_said():
    with proxy.answering(b"220 ftp.example.com ready\r\n", close=True) as place:
        words, _, _ = failing(place)
    assert "does not answer as an SSH server" in words


@pytest.mark.parametrize("fault", [proxy.FREEZE, proxy.SWALLOW, proxy.DRIP])
@pytest.mark.parametrize("after", [700, 1250])
def test_a_login_that_stands_still_is_left_in_time(sshd: Sshd, fault: str, after: int):
    with proxy.between(sshd.place, fault, after) as (place, _):
        words, notes, took = failing(place)
    assert words == "The connection and login did not succeed within 1 s."
    assert notes.steps[-1] in ("connect", "host_key", "login")
    assert took <= CONNECT + SLACK


@pytest.mark.parametrize("fault", [proxy.FREEZE, proxy.SWALLOW, proxy.DRIP])
def test_a_transfer_that_stands_still_is_left_in_time(sshd: Sshd, fault: str):
    with proxy.between(sshd.place, fault, AFTER_LOGIN) as (place, _):
        words, notes, took = failing(place, STALLED)
    assert words == "The transfer did not finish within 3 s."
    assert notes.steps[-1] == "upload"
    assert 0 < notes.count < len(CONTENT)
    assert TRANSFER - 0.1 <= took <= TRANSFER + SLACK
    assert not (sshd.root / f"1-{NAME}").exists()


@pytest.mark.parametrize("part", range(20))
def test_a_transfer_cut_off_anywhere_leaves_no_half_file_under_the_name(sshd: Sshd, part: int):
    """A18: the connection dies at 20 offsets; the next attempt delivers, once, and clears up."""
    offset = 500 + part * (len(CONTENT) + (1 << 20)) // 20
    final = sshd.root / f"1-{NAME}"
    with proxy.between(sshd.place, proxy.CUT, offset) as (place, _), pytest.raises(Unreachable):
        send(place, parcel(), Notes(), PATIENT)
    assert not final.exists()
    again = parcel()
    again = Parcel(
        again.folder, again.name, again.size, again.sha256, ".2.part", again.read, (".1.part",)
    )
    assert send(sshd.place, again, Notes(), PATIENT) == SendResult()
    assert final.read_bytes() == CONTENT
    assert [path.name for path in sshd.root.iterdir()] == [final.name]


Fault = Callable[[], AbstractContextManager[ServerLogin]]


def test_a_hundred_faults_leave_neither_threads_nor_descriptors(sshd: Sshd):
    """Ten at a time; silence, dripping, freezing, cutting, and a server that is not there."""

    @contextmanager
    def through(fault: str, after: int):  # type: ignore[no-untyped-def]
        with proxy.between(sshd.place, fault, after) as (place, _):
            yield place

    kinds: list[Fault] = [
        lambda: proxy.answering(b""),
        lambda: proxy.answering(b"x\r\n", again=0.1),
        lambda: proxy.answering(b"nonsense\r\n", close=True),
        lambda: proxy.answering(b"SSH-2.0-x\r\n", close=True),
        lambda: through(proxy.CUT, 700),
        lambda: through(proxy.FREEZE, 1200),
        lambda: through(proxy.CUT, AFTER_LOGIN),
        lambda: through(proxy.FREEZE, AFTER_LOGIN),
        lambda: through(proxy.SWALLOW, AFTER_LOGIN),
        lambda: through(proxy.DRIP, AFTER_LOGIN),
    ]

    def attempt(number: int) -> str:
        with kinds[number % len(kinds)]() as place:
            try:
                send(place, parcel(number), Notes(), SILENT)
            except TransportFault as fault:
                return type(fault).__name__
        return "delivered"

    send(sshd.place, parcel(0), Notes(), PATIENT)  # what is loaded once, is loaded
    me = psutil.Process()
    threads, descriptors = threading.active_count(), me.num_fds()
    with ThreadPoolExecutor(10) as pool:
        ends = list(pool.map(attempt, range(100)))
    assert ends == ["Unreachable"] * 100
    assert threading.active_count() <= threads  # one of an earlier test may have ended
    assert me.num_fds() == descriptors


def test_the_limits_are_the_seeds_unless_an_operator_says_otherwise() -> None:
    assert limits() == ConnectionLimits(60, 300, [])
    assert ConnectionLimits() == ConnectionLimits(60, 300, ())
