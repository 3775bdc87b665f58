"""The second file that tells a partner's script that the first one is whole. Pure.

Seed 004 knows files that only trigger; seed 001 a `*.done` manifest in XML that names the file with
its MD5. It is the form that this portal's own folders take (`docs/manifest.xsd`).
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

EMPTY, MANIFEST = "empty", "manifest"


def name_of(kind: str, file_name: str) -> str:
    """The trigger file's name beside its data file; "" for none."""
    return {EMPTY: f"{file_name}.trg", MANIFEST: f"{file_name}.done"}.get(kind, "")


def content(kind: str, file_name: str, md5: str) -> bytes:
    """What is in it. md5: hexadecimal digits, of the data file."""
    if kind != MANIFEST:
        return b""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<files>\n'
        f"  <file name={quoteattr(file_name)} checksum={quoteattr(md5)} "
        'checksumhashtype="md5" />\n</files>\n'
    ).encode()
