"""Paramiko's SFTP client, made exact: every answer of the server counts and keeps its number.

Paramiko drops what servers say about the last pipelined writes and about closing (a full disk goes
unnoticed), waits for its pipeline to run dry, and takes answers in another order for lost. So
writing is done here: a window of requests, each acknowledged. It also reads which extensions a
server has, for the size of a write. Source: reliability.md 3.2.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import sftp
from paramiko.message import Message
from paramiko.sftp_attr import SFTPAttributes

from portal.transports.faults import quoted

POSIX_RENAME = "posix-rename@openssh.com"
_LIMITS = "limits@openssh.com"
_WINDOW = 4 << 20  # bytes on their way without an answer
_SAFE_WRITE = 32_000  # every server takes so much, and it fits one packet with its header
_PACKET = 32_704  # what Paramiko puts into a packet of 32 KiB
_MOST_WRITE = 255 << 10
_EMPTY = SFTPAttributes()
LOST = (paramiko.SSHException, sftp.SFTPError, OSError, EOFError)


class Status(OSError):
    """The server's answer to a request was no. code: of the protocol; said: its own words."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said or _name(code))
        self.code, self.said = code, said

    @property
    def is_missing(self) -> bool:
        return self.code == sftp.SFTP_NO_SUCH_FILE

    @property
    def is_denied(self) -> bool:
        return self.code == sftp.SFTP_PERMISSION_DENIED

    @property
    def is_unsupported(self) -> bool:
        return self.code == sftp.SFTP_OP_UNSUPPORTED

    @property
    def words(self) -> str:
        """The server's words as a sentence."""
        return f"The server says {quoted(self.said or _name(self.code))} (code {self.code})."


def _name(code: int) -> str:
    known = sftp.SFTP_DESC
    return known[code] if 0 <= code < len(known) else "failure"


class Client(paramiko.SFTPClient):
    """One SFTP session. Requests raise Status; a lost connection SSHException, OSError, EOFError.

    extensions: what the server announced. write_size: bytes of one write request.
    """

    if TYPE_CHECKING:  # Paramiko's own, which the stubs leave out

        def _send_packet(self, t: int, packet: Message) -> None: ...
        def _read_packet(self) -> tuple[int, bytes]: ...
        def _request(self, t: int, *args: object) -> tuple[int, Message]: ...

    def __init__(self, sock: paramiko.Channel) -> None:
        self.extensions: dict[str, bytes] = {}
        super().__init__(sock)
        self.write_size = self._agreed_write_size()

    def _send_version(self) -> int:
        hello = Message()
        hello.add_int(3)
        self._send_packet(sftp.CMD_INIT, hello)
        kind, data = self._read_packet()
        if kind != sftp.CMD_VERSION:
            raise sftp.SFTPError("the server did not answer as an SFTP server")
        answer = Message(data)
        version = answer.get_int()
        while answer.get_remainder():
            name = answer.get_string()
            self.extensions[name.decode("ascii", "replace")] = answer.get_string()
        return version

    def _convert_status(self, msg: Message) -> None:
        code = msg.get_int()
        said = msg.get_string().decode("utf-8", "replace") if msg.get_remainder() else ""
        if code == sftp.SFTP_EOF:
            raise EOFError(said)
        if code != sftp.SFTP_OK:
            raise Status(code, said)

    def _agreed_write_size(self) -> int:
        if _LIMITS not in self.extensions:
            return _SAFE_WRITE
        try:
            kind, answer = self._request(sftp.CMD_EXTENDED, _LIMITS)
        except Status:
            return _SAFE_WRITE
        if kind != sftp.CMD_EXTENDED_REPLY:
            return _SAFE_WRITE
        _packet, _read, most = (answer.get_int64() for _ in range(3))
        return max(_SAFE_WRITE, min(_MOST_WRITE, most)) if most else _SAFE_WRITE

    def size_of(self, path: str) -> int | None:
        """Bytes of a file; None where there is none. Raises Status, also for no sizes at all."""
        try:
            size = self._asked(path).st_size
        except Status as status:
            if status.is_missing:
                return None
            raise
        if size is None:
            raise Status(sftp.SFTP_OP_UNSUPPORTED, "it does not report file sizes")
        return size

    def _asked(self, path: str) -> SFTPAttributes:
        try:
            return self.stat(path)
        except Status as status:
            if not status.is_unsupported:
                raise
        return self.lstat(path)

    def write_file(
        self, path: str, chunks: Iterable[bytes], sent: Callable[[int], None] | None = None
    ) -> int:
        """Make the file anew and write the chunks, each of at most `write_size` bytes.

        sent: called with the bytes handed over so far. Returns their number when the server has
        acknowledged each write and the closing. Raises Status, or what `chunks` and `sent` raise.
        """
        flags = sftp.SFTP_FLAG_WRITE | sftp.SFTP_FLAG_CREATE | sftp.SFTP_FLAG_TRUNC
        kind, answer = self._request(sftp.CMD_OPEN, path.encode(), flags, _EMPTY)
        if kind != sftp.CMD_HANDLE:
            raise sftp.SFTPError("the server opened no file")
        handle = answer.get_string()
        writes = _Writes(self, handle)
        try:
            for chunk in chunks:
                writes.send(chunk)
                if sent is not None:
                    sent(writes.offset)
            writes.finish()
        except BaseException:
            with contextlib.suppress(*LOST):
                self._request(sftp.CMD_CLOSE, handle)
            raise
        self._request(sftp.CMD_CLOSE, handle)
        return writes.offset


class _Writes:
    """Write requests on their way, at most a window of bytes, their answers in any order."""

    def __init__(self, client: Client, handle: bytes) -> None:
        self._client, self._handle = client, handle
        self._open: dict[int, int] = {}
        self._flying = 0
        self.offset = 0

    def send(self, chunk: bytes) -> None:
        """Send one request; take the answers that are there, wait while too much is on its way."""
        client, length = self._client, len(chunk)
        number = client.request_number
        client.request_number += 1
        head = struct.pack(
            f">IBII{len(self._handle)}sQI",
            *(21 + len(self._handle) + length, sftp.CMD_WRITE, number),
            *(len(self._handle), self._handle, self.offset, length),
        )
        self._open[number] = length
        self._flying += length
        self.offset += length
        _send_in_packets(client.sock, head + chunk)
        while self._open and (self._flying > _WINDOW or client.sock.recv_ready()):
            self._take()

    def finish(self) -> None:
        """Wait for the rest of the answers."""
        while self._open:
            self._take()

    def _take(self) -> None:
        kind, data = self._client._read_packet()
        answer = Message(data)
        length = self._open.pop(answer.get_int(), None)
        if length is None or kind != sftp.CMD_STATUS:
            raise sftp.SFTPError("the server sent an unexpected answer")
        self._flying -= length
        self._client._convert_status(answer)


def _send_in_packets(channel: paramiko.Channel, data: bytes) -> None:
    """Cut once: `sendall` would copy the rest anew for each packet."""
    for start in range(0, len(data), _PACKET):
        channel.sendall(data[start : start + _PACKET])


def opened(transport: paramiko.Transport) -> Client:
    """An SFTP session over a logged-in transport. Raises SSHException, OSError or EOFError."""
    channel: Any = transport.open_session()
    channel.invoke_subsystem("sftp")
    return Client(channel)
