"""Paths that senders should never send: more than 500 of them, and where they would like to go."""

import itertools

CANARY = "canary.txt"

_UPS = ["..", "../..", "../../..", "/..", "/../..", "x/../..", "./..", "Courses/../..", "..//.."]
_TARGETS = ["canary.txt", "etc/passwd", "root1x/canary.txt", "outside/canary.txt", "."]
_DISGUISES = [
    "%2e%2e", "%2E%2E", "%2e.", "..%2f", "%252e%252e", "..%c0%af", "..%5c", "%00..", "....",
    "...", ". .", " ..", ".. ", "..;", "\u2025", "\uff0e\uff0e", "\u3002\u3002", "\u2025/\u2025",
    "..\u202e", "\u2024.",
    "..\u200b", "~", "~root", "$HOME", "`id`", "|id", "-rf", "--", "*", "?", "CON", "nul:",
]  # fmt: skip
_CONTROLS = ["\n", "\r", "\t", "\x1b[31m", "\x07", "\x7f", "\u202e", "\u2066", "\u200f", "\u2028"]


def texts():
    yield from ("/".join(pair) for pair in itertools.product(_UPS, _TARGETS))
    yield from ("\\".join(pair).replace("/", "\\") for pair in itertools.product(_UPS, _TARGETS))
    yield from ("/".join(pair) for pair in itertools.product(_DISGUISES, _TARGETS))
    yield from ("Courses/" + "/".join(pair) for pair in itertools.product(_DISGUISES, _TARGETS))
    yield from (f"{target}\0.csv" for target in _TARGETS)
    yield from (f"{up}\0/{target}" for up, target in itertools.product(_UPS, _TARGETS))
    yield from (f"a{control}b.csv" for control in _CONTROLS)
    yield from (f"{control}/../canary.txt" for control in _CONTROLS)
    yield from ("/" * n + "etc/passwd" for n in range(1, 30))
    yield from ("../" * n + CANARY for n in range(1, 60))
    yield from ("a/" * n + "../" * (n + 1) + CANARY for n in range(1, 40))
    yield from ("x" * n for n in (256, 257, 4096, 4097, 70_000))
    yield from ("d/" * n + "f" for n in (100, 2048, 2049))
    yield from (".parts", ".parts/x", ".PARTS/x", ".parts/../.parts/locks", "Courses/.parts/x")
    yield from ("C:\\Windows\\x", "C:/Windows/x", "\\\\host\\share", "//host/share/x", "file:///x")
    yield from ("link/canary.txt", "link", "linked.csv", "hard.csv", "Courses/link/canary.txt")


def raw():
    """All of them as bytes, and some that are no text at all."""
    yield from (text.encode("utf-8", "surrogatepass") for text in texts())
    yield from (b"\xff\xfe", b"..\xc0\xaf..\xc0\xafcanary.txt", b"caf\xe9.csv", b"\xed\xa0\x80")
