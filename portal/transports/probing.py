"""The test of a connection: each step with a sentence; a probe file is written and removed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from portal.transports.faults import PermanentRefusal, TransportFault
from portal.transports.sftp import ConnectionLimits, ServerLogin, SftpSession, WrongHostKey, session

_SENTENCES = {
    "resolve": "The host name was found.",
    "connect": "The server answers.",
    "host_key": "The server presents the pinned host key.",
    "login": "The login works.",
    "folder": "The folder exists.",
    "upload": "A probe file could be written.",
    "rename": "It could be renamed.",
    "remove": "It could be removed again.",
}
_CONTENT = b"A probe of a connection; it may be removed.\r\n"


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """A step of the test. name: as in an attempt's log. sentence: for the page."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a test.

    host_key_type, host_key: the server's key where no key is pinned, or another one; else "".
    needs_pin: no key is pinned, so nothing but the greeting was sent.
    """

    ok: bool
    steps: list[ProbeStep]
    host_key_type: str = ""
    host_key: str = ""
    needs_pin: bool = False


class _Log:
    """The steps so far; a step has succeeded when the next one begins."""

    def __init__(self) -> None:
        self.steps: list[ProbeStep] = []
        self._now = ""

    def begin(self, name: str) -> None:
        if self._now:
            self.steps.append(ProbeStep(self._now, True, _SENTENCES[self._now]))
        self._now = name

    def failed(self, words: str) -> None:
        self.steps.append(ProbeStep(self._now or "resolve", False, words))


def probe(server: ServerLogin, path: str, limits: ConnectionLimits) -> Probe:
    """Connect, compare the host key, log in, write a small file in the folder and remove it.

    Without a pinned key the test ends before the user name or a secret is sent, and returns the
    server's key. Faults of the server are in the result and never raised.
    """
    log = _Log()
    try:
        with session(server, limits, log.begin) as opened:
            _try_folder(opened, path, log)
    except WrongHostKey as wrong:
        log.failed(str(wrong))
        return Probe(False, log.steps, wrong.key_type, wrong.fingerprint, not server.host_key)
    except TransportFault as fault:
        log.failed(str(fault))
        return Probe(False, log.steps)
    log.begin("")
    return Probe(True, log.steps)


def _try_folder(opened: SftpSession, path: str, log: _Log) -> None:
    log.begin("folder")
    opened.check_folder(path)
    log.begin("upload")
    name = joined(path, f".probe-{secrets.token_hex(8)}")
    try:
        opened.write(name, [_CONTENT])
        opened.check_size(name, len(_CONTENT))
        log.begin("rename")
        opened.rename(name, f"{name}.renamed", len(_CONTENT), replace=False)
        log.begin("remove")
        if not opened.remove(f"{name}.renamed"):
            raise PermanentRefusal(
                f"The server does not allow {name}.renamed to be removed. Ask its owner to "
                "remove it."
            )
    except TransportFault:
        opened.remove(name)
        raise


def joined(folder: str, name: str) -> str:
    """The path of a name in a folder; the folder "" is the login's home."""
    return f"{folder.rstrip('/')}/{name}" if folder else name
