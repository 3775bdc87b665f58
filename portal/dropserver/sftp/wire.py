"""asyncssh's connection, tuned for large files: cheap ciphers first, no padding packets.

Three habits of asyncssh 2.24 cost a stream of data more than half of its speed (bench/drop):
it names its ciphers before it has read the client's, so that an older OpenSSH chooses AES-CTR with
a separate hash over every packet; it sends an empty packet before each one, which guards CBC
only (RFC 4251, section 9.3.1), and CBC is not offered here; and the C library gives a freed buffer
of a few hundred KiB back to the kernel, which zeroes it page by page for the next one.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import asyncssh
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import SSHPacket, SSHPacketLogger

_PATIENCE = 1.0  # seconds that a client may wait for our proposal before it makes its own
_COOKIE = 17  # bytes of a KEXINIT before its lists: the type and the cookie (RFC 4253, section 7.1)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * 1024 * 1024


class Wire(asyncssh.SSHServerConnection):
    """A client's connection: the client proposes its algorithms first, and AES-GCM is preferred."""

    def send_packet(
        self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None
    ) -> None:
        """Send a packet, unless its type says that the client ignores it."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _recv_version(self) -> bool:
        waited = self._waits_for_client
        more = super()._recv_version()
        if waited and self._waits_for_client:
            self._kexinit_sent = False  # asyncssh has set it, but `_send_kexinit` waits
        return more

    def _send_kexinit(self) -> None:
        if self._waits_for_client:
            # Either side may go first; a client that waits for the server must not wait for ever.
            self._loop.call_later(_PATIENCE, self._propose_unasked)
            return
        self._enc_algs = _preferred(self._enc_algs, self._client_kexinit)
        super()._send_kexinit()

    def _propose_unasked(self) -> None:
        if self._waits_for_client and self._transport:
            super()._send_kexinit()
            self._kexinit_sent = True

    @property
    def _waits_for_client(self) -> bool:
        return not self._client_kexinit


async def listen(
    host: str, port: int, *, backlog: int, factory: Callable[[], asyncssh.SSHServer], **options: Any
) -> asyncio.Server:
    """Listen for SSH; options are those of `asyncssh.create_server`. Raises OSError."""
    _keep_buffers()
    loop = asyncio.get_running_loop()
    connection_options = await asyncssh.SSHServerConnectionOptions.construct(
        server_factory=factory, config=None, host=host, port=port, **options
    )
    return await loop.create_server(
        lambda: Wire(loop, connection_options), host, port, backlog=backlog
    )


def _preferred(ours: Sequence[bytes], kexinit: bytes) -> list[bytes]:
    """The ciphers to offer a client: AES-GCM alone if the client has it both ways, else all.

    The client's order decides among what both have, and OpenSSH before 9.9 names AES-CTR first.
    """
    proposal = SSHPacket(kexinit)
    proposal.get_bytes(_COOKIE)
    _exchanges, _keys, *both_ways = (proposal.get_namelist() for _ in range(4))
    cheap = [name for name in ours if b"-gcm@" in name]
    shared = [name for name in cheap if all(name in offered for offered in both_ways)]
    return shared or list(ours)


def _keep_buffers() -> None:
    """Make the C library keep freed memory, up to a limit. Only glibc has the setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
