"""Testing a connection for a person: each step with a sentence, a probe file put and removed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from portal.transports.faults import Refused, TransportFault
from portal.transports.sftp import Limits, Place, Session, WrongHostKey, session

_SAYS = {
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
class Step:
    """One step: its name as in an attempt's log, whether it worked, a sentence."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of it. host_key_type, host_key: what the server showed, where that is of interest:
    no key is pinned yet, or another one; "" otherwise. needs_pin: no key is pinned yet, so nothing
    was sent but the greeting."""

    ok: bool
    steps: list[Step]
    host_key_type: str = ""
    host_key: str = ""
    needs_pin: bool = False


class _Log:
    """The steps so far; a step has worked when the next one begins."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._now = ""

    def begin(self, name: str) -> None:
        if self._now:
            self.steps.append(Step(self._now, True, _SAYS[self._now]))
        self._now = name

    def failed(self, words: str) -> None:
        self.steps.append(Step(self._now or "resolve", False, words))


def probe(place: Place, path: str, limits: Limits) -> Probe:
    """Connect, compare the host key, log in, write a small file in the folder and remove it.

    Without a pinned key it stops before anything about us was sent and returns the server's key.
    Never raises for the server's sake.
    """
    log = _Log()
    try:
        with session(place, limits, log.begin) as opened:
            _try_folder(opened, path, log)
    except WrongHostKey as wrong:
        log.failed(str(wrong))
        return Probe(False, log.steps, wrong.key_type, wrong.fingerprint, not place.host_key)
    except TransportFault as fault:
        log.failed(str(fault))
        return Probe(False, log.steps)
    log.begin("")
    return Probe(True, log.steps)


def _try_folder(opened: Session, path: str, log: _Log) -> None:
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
            raise Refused(
                f"The server does not allow {name}.renamed to be removed. Ask its owner to "
                "remove it."
            )
    except TransportFault:
        opened.remove(name)
        raise


def joined(folder: str, name: str) -> str:
    """A name in a folder; "" is the login's home."""
    return f"{folder.rstrip('/')}/{name}" if folder else name
