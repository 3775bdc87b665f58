"""A21: the host key is compared before anything about us is sent; and how keys are read."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from portal.transports import private_keys, probing, targets
from portal.transports.ssh import (
    ConnectionLimits,
    ServerLogin,
    pinned,
)
from tests import sshd as openssh
from tests.exports.deliveries import farside
from tests.exports.deliveries.farside import FarSide

LIMITS = ConnectionLimits(20, 60, targets.networks(["127.0.0.0/8"]))
FINGERPRINT = "SHA256:" + "k" * 42 + "8"
NEWKEYS = bytes([0, 0, 0, 12, 10, 21]) + bytes(10)  # the last packet that is not encrypted


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarSide]:
    with farside.running(tmp_path / "far") as side:
        yield side


@contextmanager
def counted(place: ServerLogin) -> Iterator[tuple[ServerLogin, list[bytes]]]:
    """The place through a relay that keeps what the client sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def relay() -> None:
            client, _ = listener.accept()
            with client, socket.create_connection((place.host, place.port)) as server:
                back = threading.Thread(target=pass_on, args=(server, client, []), daemon=True)
                back.start()
                pass_on(client, server, heard)
                server.shutdown(socket.SHUT_RDWR)
                back.join(10)

        relaying = threading.Thread(target=relay, daemon=True)
        relaying.start()
        yield replace(place, port=listener.getsockname()[1]), heard
        relaying.join(10)


def pass_on(source: socket.socket, target: socket.socket, heard: list[bytes]) -> None:
    try:
        while data := source.recv(65536):
            heard.append(data)
            target.sendall(data)
    except OSError:
        pass


@pytest.mark.parametrize("padding", ["", "="])
@pytest.mark.parametrize("prefix", ["SHA256:", "sha256:", ""])
def test_both_forms_of_a_pin_are_accepted(far: FarSide, padding: str, prefix: str):
    pin = prefix + far.place.host_key.removeprefix("SHA256:") + padding
    assert probing.probe(replace(far.place, host_key=pin), "", LIMITS).ok


@pytest.mark.parametrize(
    ("pin", "kind"),
    [(FINGERPRINT, "ssh-ed25519"), (FINGERPRINT, "ssh-rsa"), ("nonsense", ""), ("", "")],
    ids=["changed", "wrong type", "no fingerprint", "not pinned"],
)
def test_no_byte_of_a_login_is_sent_to_another_key(far: FarSide, pin: str, kind: str):
    """What the client says last is that keys are exchanged: no request for the login follows."""
    with counted(replace(far.place, host_key=pin, host_key_type=kind)) as (place, heard):
        began = time.monotonic()
        probe = probing.probe(place, "", LIMITS)
        took = time.monotonic() - began
    assert [step.name for step in probe.steps] == ["resolve", "connect", "host_key"]
    assert not probe.ok
    assert probe.needs_pin == (pin == "")
    assert probe.host_key == far.place.host_key
    assert probe.host_key_type == "ssh-ed25519"
    assert far.logins == []
    assert b"".join(heard).endswith(NEWKEYS)
    assert took <= 2


def test_a_wrong_pin_is_told_with_both_keys(far: FarSide):
    place = replace(far.place, host_key=FINGERPRINT, host_key_type="ssh-rsa")
    words = probing.probe(place, "", LIMITS).steps[-1].sentence
    assert f"ssh-ed25519 {far.place.host_key}" in words
    assert f"ssh-rsa {FINGERPRINT}" in words


@pytest.mark.skipif(not openssh.HAS_SSHD, reason=openssh.SKIP)
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_every_kind_of_host_key_of_a_real_server_is_pinned_and_met_again(tmp_path: Path, kind: str):
    with openssh.running(tmp_path / "server", host_kind=kind) as server:
        first = probing.probe(server.unpinned(), "", LIMITS)
        assert (first.ok, first.needs_pin) == (False, True)
        assert first.host_key == server.place.host_key
        place = replace(server.place, host_key=first.host_key, host_key_type=first.host_key_type)
        again = probing.probe(place, "", LIMITS)
        assert again.ok, again.steps
        assert list(server.root.iterdir()) == []


@pytest.mark.skipif(not openssh.HAS_SSHD, reason=openssh.SKIP)
def test_the_pinned_kind_is_asked_for_among_several(tmp_path: Path):
    rsa = openssh.make_key(tmp_path / "second", "rsa")
    more = f"HostKey {tmp_path}/second\n"
    with openssh.running(tmp_path / "server", more=more) as server:
        place = replace(server.place, host_key=rsa, host_key_type="ssh-rsa")
        assert probing.probe(place, "", LIMITS).ok
        assert probing.probe(server.place, "", LIMITS).ok


def test_what_is_no_fingerprint_is_said() -> None:
    assert pinned(f" {FINGERPRINT}= ") == FINGERPRINT
    for text in ("", "SHA256:", "MD5:aa:bb", FINGERPRINT + "==", FINGERPRINT[:-1]):
        with pytest.raises(ValueError, match="SHA256"):
            pinned(text)


@pytest.mark.parametrize("kind", [["ed25519"], ["ecdsa"], ["rsa"], ["rsa", "-m", "PEM"]])
def test_private_keys_of_every_kind_are_read(tmp_path: Path, kind: list[str]) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", *kind, "-N", "", "-f", str(tmp_path / "key")], check=True
    )
    text = (tmp_path / "key").read_text()
    assert private_keys.read(f"\n  {text}  ").fingerprint.startswith("SHA256:")


def test_a_private_key_with_a_passphrase_is_refused_with_words(tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)], check=True
    )
    with pytest.raises(private_keys.PrivateKeyRefused, match="passphrase"):
        private_keys.read(path.read_text())


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "ssh-rsa A"]
)
def test_what_is_no_private_key_is_refused_with_words(text: str) -> None:
    with pytest.raises(private_keys.PrivateKeyRefused, match="private key cannot be used"):
        private_keys.read(text)
