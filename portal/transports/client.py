"""Paramiko's SFTP client, made exact: every answer of the server is matched with its request.

Paramiko drops the answers to the last pipelined writes and to closing (a full disk is not noticed),
waits until its pipeline is empty, and treats answers in another order as lost. Therefore writing is
done here, with a window of requests that are all acknowledged. The client also reads which
extensions a server has, for the size of a write. Source: reliability.md 3.2.
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

_LIMITS = "limits@openssh.com"
_WINDOW = 4 << 20  # bytes that may be unanswered
_SAFE_WRITE = 32_000  # every server accepts this, and it fits into one packet with its header
_PACKET = 32_704  # what Paramiko puts into a packet of 32 KiB
_MOST_WRITE = 255 << 10
_EMPTY = SFTPAttributes()
LOST = (paramiko.SSHException, sftp.SFTPError, OSError, EOFError)


class Status(OSError):
    """The server refused a request. code: of the protocol; message: the server's own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message or _name(code))
        self.code, self.message = code, message

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
        return f"The server says {quoted(self.message or _name(self.code))} (code {self.code})."


def _name(code: int) -> str:
    names = sftp.SFTP_DESC
    return names[code] if 0 <= code < len(names) else "failure"


class Client(paramiko.SFTPClient):
    """An SFTP session. Requests raise Status; a lost connection SSHException, OSError or EOFError.

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
        message = msg.get_string().decode("utf-8", "replace") if msg.get_remainder() else ""
        if code == sftp.SFTP_EOF:
            raise EOFError(message)
        if code != sftp.SFTP_OK:
            raise Status(code, message)

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
        """Bytes of a file; None if it does not exist. Raises Status."""
        try:
            size = self._attributes(path).st_size
        except Status as status:
            if status.is_missing:
                return None
            raise
        if size is None:
            raise Status(sftp.SFTP_OP_UNSUPPORTED, "it does not report file sizes")
        return size

    def _attributes(self, path: str) -> SFTPAttributes:
        try:
            return self.stat(path)
        except Status as status:
            if not status.is_unsupported:
                raise
        return self.lstat(path)

    def write_file(
        self, path: str, chunks: Iterable[bytes], sent: Callable[[int], None] | None = None
    ) -> int:
        """Create or empty the file and write the chunks, each of at most `write_size` bytes.

        sent: called with the number of bytes sent so far. Returns their number when the server has
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
    """Unanswered write requests, at most a window of bytes; the answers come in any order."""

    def __init__(self, client: Client, handle: bytes) -> None:
        self._client, self._handle = client, handle
        self._open: dict[int, int] = {}
        self._unanswered = 0
        self.offset = 0

    def send(self, chunk: bytes) -> None:
        """Send one request and read the answers that have come; wait while the window is full."""
        client, length = self._client, len(chunk)
        number = client.request_number
        client.request_number += 1
        head = struct.pack(
            f">IBII{len(self._handle)}sQI",
            *(21 + len(self._handle) + length, sftp.CMD_WRITE, number),
            *(len(self._handle), self._handle, self.offset, length),
        )
        self._open[number] = length
        self._unanswered += length
        self.offset += length
        _send_in_packets(client.sock, head + chunk)
        while self._open and (self._unanswered > _WINDOW or client.sock.recv_ready()):
            self._read_answer()

    def finish(self) -> None:
        """Wait for the rest of the answers."""
        while self._open:
            self._read_answer()

    def _read_answer(self) -> None:
        kind, data = self._client._read_packet()
        answer = Message(data)
        length = self._open.pop(answer.get_int(), None)
        if length is None or kind != sftp.CMD_STATUS:
            raise sftp.SFTPError("the server sent an unexpected answer")
        self._unanswered -= length
        self._client._convert_status(answer)


def _send_in_packets(channel: paramiko.Channel, data: bytes) -> None:
    """Split the data here: `sendall` would copy the rest for each packet."""
    for start in range(0, len(data), _PACKET):
        channel.sendall(data[start : start + _PACKET])


def opened(transport: paramiko.Transport) -> Client:
    """An SFTP session over a logged-in transport. Raises SSHException, OSError or EOFError."""
    channel: Any = transport.open_session()
    channel.invoke_subsystem("sftp")
    return Client(channel)
