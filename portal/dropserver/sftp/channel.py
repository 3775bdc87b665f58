"""An SSH session channel: SFTP is served; a shell or a command is refused with words.

asyncssh calls the same `close` for a file that the client closed and for a file that was open when
the client disconnected; only its handler can tell, hence the subclass (asyncssh 2.24).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, cast

import asyncssh
from asyncssh.constants import FXP_OPEN, FXP_OPENDIR, FXP_STATUS
from asyncssh.packet import SSHPacket, UInt32
from asyncssh.sftp import SFTPServerHandler
from asyncssh.stream import SSHReader, SSHServerStreamSession, SSHWriter

from portal.dropserver.sftp.requests import DropFiles
from portal.dropserver.sftp.uploads import Visit

_SFTP_VERSION = 3
_SERVED_EXTENSIONS = (
    b"posix-rename@openssh.com",
    b"fsync@openssh.com",
    b"lsetstat@openssh.com",
    b"limits@openssh.com",
)
_REFUSAL = (
    b"This server takes files over SFTP only: no shell, no commands, no scp.\r\n"
    b"Connect with an SFTP client, for example: sftp -P PORT NAME@HOST\r\n"
)


class LenientPacket(SSHPacket):
    """A packet that may be longer than its content: rclone 1.60 sends such, OpenSSH takes them."""

    def check_end(self) -> None:
        """Accept surplus bytes."""


class DropHandler(SFTPServerHandler):
    """Handles the requests of one channel in order."""

    _extensions = [(name, b"1") for name in _SERVED_EXTENSIONS]
    # copy-data and ranges would block the event loop; links and locks have no use here.
    _packet_handlers = {
        key: handler
        for key, handler in SFTPServerHandler._packet_handlers.items()
        if isinstance(key, int) or key in (*_SERVED_EXTENSIONS, b"hardlink@openssh.com")
    }

    def __init__(
        self,
        files: DropFiles,
        reader: SSHReader[bytes],
        writer: SSHWriter[bytes],
        refusal: Callable[[], str],
    ) -> None:
        """refusal: why no further file may be opened now; empty if one may."""
        super().__init__(files, reader, writer, _SFTP_VERSION)
        self._files = files
        self._refusal = refusal

    @property
    def open_files(self) -> int:
        """Files and folders that the client has open."""
        return len(self._file_handles) + len(self._dir_handles)

    async def recv_packet(self) -> SSHPacket:
        """The next packet. Raises as the base class."""
        return LenientPacket((await super().recv_packet()).get_remaining_payload())

    async def _process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        self._files.last_request = time.monotonic()
        if pkttype in (FXP_OPEN, FXP_OPENDIR) and (reason := self._refusal()):
            refusal = asyncssh.SFTPFailure(reason)
            self.send_packet(FXP_STATUS, pktid, UInt32(pktid), refusal.encode(self._version))
            return
        await super()._process_packet(pkttype, pktid, packet)
        if self._writer:
            # Without this a client that sends requests and reads no answers would fill the memory.
            await self._writer.drain()
        self._files.last_request = time.monotonic()

    async def _cleanup(self, exc: Exception | None) -> None:
        self._files.lost()
        if self._writer:
            # Without a status scp reports a failure, though the file has arrived.
            channel = cast("asyncssh.SSHServerChannel[bytes]", self._writer.channel)
            with contextlib.suppress(OSError):
                channel.exit(0 if exc is None else 1)
        await super()._cleanup(exc)


class DropChannel(SSHServerStreamSession[bytes]):
    """A channel that a client opened on its connection."""

    def __init__(self, visit: Visit, refusal: Callable[[], str]) -> None:
        """refusal: see `DropHandler`."""
        super().__init__(None)
        self._visit = visit
        self._refusal = refusal
        self._handler: DropHandler | None = None
        self.files: DropFiles | None = None
        self.is_closed = False

    @property
    def open_files(self) -> int:
        """Files and folders that the client has open."""
        return self._handler.open_files if self._handler else 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the channel has ended."""
        self.is_closed = True
        super().connection_lost(exc)

    def shell_requested(self) -> bool:
        """Grant a shell, only to say that there is none."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Grant a command, only to say that none is run; the command is not read."""
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Grant SFTP only."""
        return subsystem == "sftp"

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        """Refuse a terminal."""
        return False

    def session_started(self) -> None:
        """Serve SFTP, or refuse with words and exit status 1."""
        channel = cast("asyncssh.SSHServerChannel[bytes]", self._chan)
        if channel.get_subsystem() != "sftp":
            channel.write_stderr(_REFUSAL)
            channel.exit(1)
            return
        self.files = DropFiles(channel, self._visit)
        reader, writer = SSHReader[bytes](self, channel), SSHWriter[bytes](self, channel)
        self._handler = handler = DropHandler(self.files, reader, writer, self._refusal)
        channel.get_connection().create_task(handler.run(), reader.logger)
