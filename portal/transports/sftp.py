"""SFTP to a partner's server: a session with a deadline, in which files arrive whole.

A file is written under a hidden name beside its final one, its size is compared, and it is renamed:
nobody ever sees half a file under its final name. Servers differ: some have no posix-rename, a
rename that does not overwrite, or no stat. What a server cannot do is noted in words.
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
from portal.transports.faults import PermanentRefusal, TransportFault, Unreachable, quoted
from portal.transports.ssh import ConnectionLimits, OnStep, ServerLogin, WrongHostKey

__all__ = ["ConnectionLimits", "ServerLogin", "SftpSession", "WrongHostKey", "session"]


def ignore_step(_step: str) -> None:
    """Ignore which step begins."""


@contextlib.contextmanager
def session(
    server: ServerLogin, limits: ConnectionLimits, on_step: OnStep = ignore_step
) -> Iterator[SftpSession]:
    """A session that is closed at the end with its thread and socket, whatever happens.

    on_step: called with the name of each step of connecting. Raises Unreachable or PermanentRefusal
    with words for people, also if the connection fails or the time is up within the block.
    """
    with Deadline(limits.connect_seconds, limits.transfer_seconds) as deadline:
        try:
            with ssh.connected(server, deadline, limits.allowed, on_step) as transport:
                logged_in = _opened(transport, deadline)
                deadline.logged_in()
                yield SftpSession(logged_in)
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
        raise PermanentRefusal(
            f"The login works, but the server opens no SFTP session for it. {quoted(error)}"
        ) from error


def fault_of(status: Status, words: str) -> TransportFault:
    """A server's refusal as a fault; permanent where a right or a folder is missing."""
    kind = PermanentRefusal if status.is_denied or status.is_missing else Unreachable
    return kind(f"{words} {status.words}")


class SftpSession:
    """One logged-in SFTP session. All paths are absolute or from the login's home."""

    def __init__(self, logged_in: Client) -> None:
        self._client = logged_in

    @property
    def write_size(self) -> int:
        """The most bytes that a chunk for `write` should have."""
        return self._client.write_size

    def check_folder(self, folder: str) -> None:
        """Raise PermanentRefusal unless the folder exists, or the server cannot tell."""
        try:
            mode = self._client.stat(folder or ".").st_mode
        except Status as status:
            if status.is_missing:
                raise PermanentRefusal(
                    f"The folder {quoted(folder or '.')} does not exist on the server. Create "
                    f"it, or correct the path. {status.words}"
                ) from status
            if status.is_denied:
                raise PermanentRefusal(
                    f"The login may not open the folder {quoted(folder or '.')}. {status.words}"
                ) from status
            return
        if mode is not None and stat.S_IFMT(mode) and not stat.S_ISDIR(mode):
            raise PermanentRefusal(f"{quoted(folder)} is not a folder on the server.")

    def size_of(self, path: str) -> int | None:
        """Bytes of a file; None if there is no file or the server does not answer the question."""
        try:
            return self._client.size_of(path)
        except Status:
            return None

    def write(
        self, path: str, chunks: Iterable[bytes], sent: Callable[[int], None] | None = None
    ) -> int:
        """Create or overwrite a file; every write is acknowledged. Returns its bytes.

        Raises PermanentRefusal where the login may not write there, and Unreachable for a full disk
        and the like.
        """
        try:
            return self._client.write_file(path, chunks, sent)
        except Status as status:
            raise fault_of(status, f"The server does not store {quoted(path)}.") from status

    def check_size(self, path: str, size: int) -> str:
        """Compare the size of a written file. Returns a sentence to note, or "".

        Raises Unreachable if the size differs or the file does not exist any more.
        """
        try:
            stored = self._client.size_of(path)
        except Status as status:
            return (
                f"The server does not report file sizes; it acknowledged all {size:,} "
                f"bytes. {status.words}"
            )
        if stored == size:
            return ""
        if stored is None:
            raise Unreachable(
                "The file was stored, but cannot be found under its temporary name. "
                "Something on the server removes files whose names begin with a dot."
            )
        raise Unreachable(f"The server stored {stored:,} of {size:,} bytes. Is its disk full?")

    def remove(self, path: str) -> bool:
        """Remove a file if it exists. Returns whether the server removed it."""
        try:
            self._client.remove(path)
        except Status:
            return False
        return True

    def rename(self, temporary: str, final: str, size: int, *, replace: bool) -> None:
        """Give a file its name: by posix-rename, else rename, else by removing what is there.

        replace: whether the file under the final name may be replaced. Raises PermanentRefusal or
        Unreachable with the server's words.
        """
        refusal = self._renamed(temporary, final)
        if refusal is None:
            return
        existing = self.size_of(final)
        if existing == size and self.size_of(temporary) is None:
            return  # it was renamed, whatever the answer was
        if existing is not None and replace:
            self._remove_first(temporary, final)
            return
        if existing is not None:
            raise PermanentRefusal(foreign(final, existing))
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
        """Replace a file where renaming cannot: for a moment there is no file."""
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
    kind = PermanentRefusal if status.is_denied or status.is_unsupported else Unreachable
    return kind(f"{words} {status.words}")


def foreign(final: str, size: int) -> str:
    """The sentence about a file under the final name that the portal did not put there."""
    return (
        f"A file {quoted(final)} of {size:,} bytes already exists there, and this "
        "portal did not put it there. It is not overwritten. Ask its owner to move "
        "it, then send again."
    )
