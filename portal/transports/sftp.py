"""SFTP to somebody's server: a session with a deadline, and how files get there whole.

A file is written under a hidden name beside its final one, measured, and renamed: nobody ever sees
a half file under the name that they look for. Servers differ in what they can do: without
posix-rename, with a rename that overwrites nothing, without stat. What cannot be done is said.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator

import paramiko
from paramiko import sftp

from portal.transports import client, ssh
from portal.transports.client import LOST, Client, Status
from portal.transports.deadline import Deadline
from portal.transports.faults import Refused, TransportFault, Unreachable, quoted
from portal.transports.ssh import Limits, OnStep, Place, WrongHostKey

__all__ = ["Limits", "Place", "Session", "WrongHostKey", "session"]


def nothing(_step: str) -> None:
    """For who does not want to know which step begins."""


@contextlib.contextmanager
def session(place: Place, limits: Limits, on_step: OnStep = nothing) -> Iterator[Session]:
    """A session, closed at the end with its thread and socket, whatever happened.

    on_step: told each step of connecting. Raises Unreachable or Refused with words for people, also
    for what goes wrong within the block by the connection's or the time's fault.
    """
    with Deadline(limits.connect_seconds, limits.transfer_seconds) as deadline:
        try:
            with ssh.connected(place, deadline, limits.allowed, on_step) as transport:
                logged_in = _opened(transport, deadline)
                deadline.logged_in()
                yield Session(logged_in)
        except TransportFault:
            raise
        except Status as status:
            raise fault_of(status, "The server does not support the request.") from status
        except LOST as error:
            deadline.check()
            raise Unreachable(f"The connection was lost. {quoted(error)}") from error


def _opened(transport: paramiko.Transport, deadline: Deadline) -> Client:
    try:
        return client.opened(transport)
    except (paramiko.SSHException, sftp.SFTPError) as error:
        deadline.check()
        if not transport.is_active():
            raise
        raise Refused(
            f"The login works, but the server opens no SFTP session for it. {quoted(error)}"
        ) from error


def fault_of(status: Status, words: str) -> TransportFault:
    """A server's no as a fault: for good where a right or a folder is missing."""
    kind = Refused if status.is_denied or status.is_missing else Unreachable
    return kind(f"{words} {status.words}")


class Session:
    """One logged-in SFTP session. All paths are absolute or from the login's home."""

    def __init__(self, logged_in: Client) -> None:
        self._client = logged_in

    @property
    def write_size(self) -> int:
        """Bytes that a chunk for `write` should have at most."""
        return self._client.write_size

    def check_folder(self, folder: str) -> None:
        """Raise Refused unless the folder is there; a server that cannot tell is believed."""
        try:
            mode = self._client.stat(folder or ".").st_mode
        except Status as status:
            if status.is_missing:
                raise Refused(
                    f"The folder {quoted(folder or '.')} does not exist on the server. Create "
                    f"it, or correct the path. {status.words}"
                ) from status
            if status.is_denied:
                raise Refused(
                    f"The login may not open the folder {quoted(folder or '.')}. {status.words}"
                ) from status
            return
        if mode is not None and stat.S_IFMT(mode) and not stat.S_ISDIR(mode):
            raise Refused(f"{quoted(folder)} is not a folder on the server.")

    def size_of(self, path: str) -> int | None:
        """Bytes of a file, None where there is none or the server cannot or will not tell."""
        try:
            return self._client.size_of(path)
        except Status:
            return None

    def write(
        self, path: str, chunks: Iterable[bytes], sent: Callable[[int], None] | None = None
    ) -> int:
        """Write a file anew; every write is acknowledged. Returns its bytes.

        Raises Refused where the login may not write there, Unreachable for a full disk and the
        like.
        """
        try:
            return self._client.write_file(path, chunks, sent)
        except Status as status:
            raise fault_of(status, f"The server does not store {quoted(path)}.") from status

    def check_size(self, path: str, size: int) -> str:
        """Compare a written file's size. Returns what is to be noted, "" for nothing.

        Raises Unreachable where it has another one or is gone.
        """
        try:
            found = self._client.size_of(path)
        except Status as status:
            return (
                f"The server does not report file sizes; it acknowledged all {size:,} "
                f"bytes. {status.words}"
            )
        if found == size:
            return ""
        if found is None:
            raise Unreachable(
                "The file was stored, but cannot be found under its temporary name. "
                "Something on the server removes files whose names begin with a dot."
            )
        raise Unreachable(f"The server stored {found:,} of {size:,} bytes. Is its disk full?")

    def remove(self, path: str) -> bool:
        """Remove a file if it is there. Returns whether it was and went; the server may say no."""
        try:
            self._client.remove(path)
        except Status:
            return False
        return True

    def rename(self, temporary: str, final: str, size: int, *, replace: bool) -> None:
        """Give a file its name: by posix-rename, else rename, else by removing what is there.

        replace: whether what lies under the final name is ours to replace. Raises Refused or
        Unreachable with what the server said.
        """
        refusal = self._renamed(temporary, final)
        if refusal is None:
            return
        found = self.size_of(final)
        if found == size and self.size_of(temporary) is None:
            return  # it was renamed, whatever the answer was
        if found is not None and replace:
            self._remove_first(temporary, final)
            return
        if found is not None:
            raise Refused(foreign(final, found))
        raise _no_rename(final, refusal)

    def _renamed(self, temporary: str, final: str) -> Status | None:
        try:
            self._client.posix_rename(temporary, final)
        except Status:
            pass
        else:
            return None
        try:
            self._client.rename(temporary, final)
        except Status as status:
            return status
        return None

    def _remove_first(self, temporary: str, final: str) -> None:
        """For servers that rename onto nothing: there is a moment without the file."""
        try:
            self._client.remove(final)
            self._client.rename(temporary, final)
        except Status as status:
            raise _no_rename(final, status) from status


def _no_rename(final: str, status: Status) -> TransportFault:
    words = (
        "The file was stored, but the server does not allow it to be renamed to "
        f"{quoted(final)}. Deliveries need the right to rename, so that nobody "
        "reads half a file."
    )
    kind = Refused if status.is_denied or status.is_unsupported else Unreachable
    return kind(f"{words} {status.words}")


def foreign(final: str, size: int) -> str:
    """What is said of a file that lies under the final name and is not ours."""
    return (
        f"A file {quoted(final)} of {size:,} bytes already exists there, and this "
        "portal did not put it there. It is not overwritten. Ask its owner to move "
        "it, then send again."
    )
