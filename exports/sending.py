"""One attempt to bring a file to a folder of a partner's server: the steps, in their order.

Folder → a file of that name → hidden temporary file → size → name → trigger file. A temporary file
belongs to one attempt: an attempt that was frozen and wakes up beside its successor can at most
give the name to its own file, which is whole; the successor removes what the dead ones left.
Source: seed 000 (limits), reliability.md rules 20 and 21, promises A17 to A20.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from django.conf import settings

from exports import trigger
from exports.models import Attempt
from portal.transports import targets
from portal.transports.client import LOST
from portal.transports.faults import PermanentRefusal, TransportFault
from portal.transports.probing import joined
from portal.transports.sftp import ConnectionLimits, ServerLogin, SftpSession, foreign, session

Step = Attempt.Step
_READ_SIZE = 1 << 20


class OurFault(Exception):
    """The portal cannot read what it has to send. The partner's server is not at fault."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes where. name: final one; temporary: of this attempt; leftovers: of earlier ones.

    sha256, size (bytes): of the frozen file, which `read` opens. settled: an earlier attempt of the
    same ladder came as far as giving the name, so a file of that size is ours. may_replace: what
    has that name was put there by this portal. trigger: Export.Trigger.
    """

    folder: str
    name: str
    size: int
    sha256: str
    temporary: str
    read: Callable[[], BinaryIO]
    leftovers: tuple[str, ...] = ()
    trigger: str = ""
    settled: bool = False
    may_replace: bool = False

    def path(self, name: str) -> str:
        """A name in the folder."""
        return joined(self.folder, name)


@dataclass(frozen=True, slots=True)
class SendResult:
    """already_there: an earlier attempt had done it. note: what the server could not report."""

    already_there: bool = False
    note: str = ""


class Watch(Protocol):
    """Who follows an attempt. Either may raise to end it; `step` before what cannot be undone."""

    def step(self, name: str) -> None:
        """A step of Attempt.Step begins."""

    def sent(self, count: int) -> None:
        """So many bytes of the file were handed over; called often."""


def limits() -> ConnectionLimits:
    """The limits of seed 000, and the networks that the operator allows."""
    return ConnectionLimits(
        settings.EXPORT_CONNECT_SECONDS,
        settings.EXPORT_TRANSFER_SECONDS,
        targets.networks(settings.EXPORT_ALLOWED_NETWORKS),
    )


def send(place: ServerLogin, parcel: Parcel, watch: Watch, bounds: ConnectionLimits) -> SendResult:
    """Bring the file there once.

    Raises OurFault, Unreachable, PermanentRefusal, or what `watch` raises.
    """
    _check_stored(parcel)
    with session(place, bounds, watch.step) as opened:
        watch.step(Step.FOLDER)
        opened.check_folder(parcel.folder)
        for name in parcel.leftovers:
            opened.remove(parcel.path(name))
        result = _data_file(opened, parcel, watch)
        if parcel.trigger:
            watch.step(Step.TRIGGER)
            _trigger_file(opened, parcel)
    return result


def _check_stored(parcel: Parcel) -> None:
    """Check our own file before the connection is opened: the server is not at fault for it."""
    with _opened(parcel) as file, _reading():
        file.seek(0, 2)
        size = file.tell()
    if size != parcel.size:
        raise OurFault(f"The stored file has {size:,} bytes; {parcel.size:,} were written.")


def _data_file(opened: SftpSession, parcel: Parcel, watch: Watch) -> SendResult:
    final = parcel.path(parcel.name)
    size = opened.size_of(final)
    if size is not None and size == parcel.size and parcel.settled:
        return SendResult(already_there=True)
    if size is not None and not parcel.may_replace:
        raise PermanentRefusal(foreign(final, size))
    temporary = parcel.path(parcel.temporary)
    with _removed_on_failure(opened, temporary):
        watch.step(Step.UPLOAD)
        with _opened(parcel) as file:
            opened.write(temporary, _chunks(file, parcel, opened.write_size), watch.sent)
        watch.step(Step.SIZE)
        note = opened.check_size(temporary, parcel.size)
        watch.step(Step.RENAME)
        opened.rename(temporary, final, parcel.size, replace=parcel.may_replace)
    return SendResult(note=note)


def _trigger_file(opened: SftpSession, parcel: Parcel) -> None:
    """Send the trigger file last and complete: whoever waits for it finds the data file whole."""
    md5 = _md5(parcel) if parcel.trigger == trigger.MANIFEST else ""
    content = trigger.content(parcel.trigger, parcel.name, md5)
    temporary = parcel.path(f"{parcel.temporary}.trigger")
    final = parcel.path(trigger.name_of(parcel.trigger, parcel.name))
    with _removed_on_failure(opened, temporary):
        opened.write(temporary, [content] if content else [])
        opened.rename(temporary, final, len(content), replace=True)


@contextlib.contextmanager
def _removed_on_failure(opened: SftpSession, path: str) -> Iterator[None]:
    """Remove the temporary file where the connection allows it; else the next attempt does."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(TransportFault, *LOST):
            opened.remove(path)
        raise


def _chunks(file: BinaryIO, parcel: Parcel, size: int) -> Iterator[bytes]:
    """The file's bytes. Raises OurFault at the end where they are not those of the frozen file."""
    digest, count = hashlib.sha256(), 0
    while True:
        with _reading():
            chunk = file.read(size)
        if not chunk:
            break
        digest.update(chunk)
        count += len(chunk)
        yield chunk
    if count != parcel.size or digest.hexdigest() != parcel.sha256:
        raise OurFault("The stored file is not the one that was written: its checksum differs.")


def _md5(parcel: Parcel) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with _opened(parcel) as file, _reading():
        while chunk := file.read(_READ_SIZE):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(parcel: Parcel) -> Iterator[BinaryIO]:
    with _reading():
        file = parcel.read()
    with file:
        yield file


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever a storage raises into OurFault, so that no server is blamed for it."""
    try:
        yield
    except Exception as error:
        raise OurFault(f"The stored file cannot be read ({type(error).__name__}).") from error
