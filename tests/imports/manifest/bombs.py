"""Manifests made to do harm: promise A31 (reliability.md). Every one must be INVALIDSCHEMA."""

from __future__ import annotations

KIB = 1024
FILE = '<file name="a.csv"/>'


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><files>&l11;{FILE}</files>'


def _doctype(declarations: str, body: str = "&x;") -> str:
    return f"<!DOCTYPE x [{declarations}]><files>{body}{FILE}</files>"


def _filled(head: str, unit: str, tail: str, size: int = 255 * KIB) -> str:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


BOMBS: dict[str, bytes] = {
    "billion laughs": _laughs().encode(),
    "billion laughs in UTF-16": _laughs().encode("utf-16"),
    "quadratic blow-up": _doctype(f'<!ENTITY x "{"a" * 20_000}">', "&x;" * 20_000).encode(),
    "entity that names itself": _doctype('<!ENTITY x "&x;">').encode(),
    "entity in a file name": b'<!DOCTYPE x [<!ENTITY x "a">]><files><file name="&x;"/></files>',
    "external entity": _doctype('<!ENTITY x SYSTEM "file:///etc/passwd">').encode(),
    "external entity over HTTP": _doctype('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">').encode(),
    "parameter entity": _doctype('<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;', "").encode(),
    "external DTD": f'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><files>{FILE}</files>'.encode(),
    "public DTD": f'<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1:9/"><files>{FILE}</files>'.encode(),
    "notation": _doctype('<!NOTATION n SYSTEM "x"><!ENTITY x SYSTEM "y" NDATA n>', "").encode(),
    "default attributes": _doctype('<!ATTLIST file name CDATA "a.csv">', "").encode(),
    "a DTD of 255 KiB": _filled(
        "<!DOCTYPE x [", '<!ENTITY e "v">', f"]><files>{FILE}</files>"
    ).encode(),
    "undeclared entities": _filled("<files>", "&x;", f"{FILE}</files>").encode(),
    "a million levels": b"<a>" * 1_000_000,
    "levels within the size limit": _filled("", "<a>", "").encode(),
    "nine levels": ("<a>" * 8 + FILE + "</a>" * 8).encode(),
    "levels of files": _filled("", '<file name="a">', "").encode(),
    "100,000 files": ("<files>" + '<file name="a.csv"/>' * 100_000 + "</files>").encode(),
    "files within the size limit": _filled("<files>", FILE, "</files>").encode(),
    "100 MB": b" " * 100_000_000,
    "one byte too much": (f"<files>{FILE}<!--" + "x" * (256 * KIB - 33) + "--></files>").encode(),
    "a file name of 255 KiB without an end": _filled('<files><file name="', "a", "").encode(),
    "a tag name of 255 KiB": _filled("<", "a", "").encode(),
    "a comment without an end": _filled("<files><!--", "-a", "").encode(),
    "a CDATA section without an end": _filled("<files><![CDATA[", "]]", "").encode(),
    "a processing instruction without an end": _filled("<files><?x ", "?", "").encode(),
    "thousands of attributes": (
        "<files><f " + " ".join(f'a{n}="{n}"' for n in range(17_000)) + "/></files>"
    ).encode(),
    "thousands of equal attributes": _filled("<files><file", ' a="1"', "/></files>").encode(),
    "thousands of spellings of an attribute": (
        '<files><file name="a" '
        + " ".join(f'x{n}:name="{n}"' for n in range(15_000))
        + "/></files>"
    ).encode(),
    "thousands of namespaces": (
        "<files " + " ".join(f'xmlns:n{n}="u{n}"' for n in range(12_000)) + "></files>"
    ).encode(),
    "thousands of small elements": _filled("<files>", "<x/>", "</files>").encode(),
    "thousands of character references": _filled("<files>", "&#65;", "</files>").encode(),
    "a character reference to NUL": b'<files><file name="a&#0;.csv"/></files>',
    "a character reference to a surrogate": b'<files><file name="a&#xD800;.csv"/></files>',
    "NUL bytes": b"<files>" + b"\0" * 200_000,
    "half a UTF-16 character": "<files>\U0001f600".encode("utf-16")[:-2],
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-files+AD4-',
    "UTF-32": f"<files>{FILE}</files>".encode("utf-32"),
    "EBCDIC": f'<?xml version="1.0" encoding="cp037"?><files>{FILE}</files>'.encode("cp037"),
    "an encoding with its own code": b'<?xml version="1.0" encoding="unicode_escape"?><f/>',
    "an encoding that is no text": b'<?xml version="1.0" encoding="zlib_codec"?><f/>',
    "an encoding of 200 KiB": _filled('<?xml version="1.0" encoding="', "a", '"?><f/>').encode(),
}
