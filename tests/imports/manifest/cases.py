"""Manifests and their outcome: the table behind promise A11 (reliability.md).

Each case is complete: the bytes of the manifest, the data files beside it, and the outcome. The
pure rules are tested with it, and the same table drives the test over a real drop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from imports.manifest import ManifestState, Reference

ACCOUNTS = b"PersonIdentifier,FirstName,LastName\n0007,Ada,Byron\n"
TERMS = b"TermIdentifier,Name\nF17,Fall 2017\n"
MD5 = hashlib.md5(ACCOUNTS, usedforsecurity=False).hexdigest()
MD5_TERMS = hashlib.md5(TERMS, usedforsecurity=False).hexdigest()
WRONG = "0" * 32
PAIRS = " ".join(MD5[at : at + 2] for at in range(0, 32, 2))
FILES: Mapping[str, bytes] = {"accounts.csv": ACCOUNTS, "terms.csv": TERMS}


@dataclass(frozen=True)
class Case:
    """One manifest.

    state: its final one if the configuration is there; None means that it is removed.
    invalid: index of the `file` element to the value of its INVALID attribute.
    processed: the data files that are imported.
    """

    title: str
    data: bytes
    state: ManifestState | None = None
    invalid: Mapping[int, str] = field(default_factory=dict)
    processed: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)


def files(*lines: str) -> bytes:
    """A manifest with these lines."""
    return ("<files>\n" + "\n".join(f"  {line}" for line in lines) + "\n</files>\n").encode()


def line(name: str = "accounts.csv", checksum: str = MD5, hash_type: str = "md5") -> str:
    """A line in the published form."""
    return f'<file name="{name}" checksum="{checksum}" checksumhashtype="{hash_type}" />'


def published(references: Iterable[Reference]) -> bytes:
    """A manifest in the published form (UTF-8), whatever its names hold."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<files>"]
    lines += [
        f"  <file name={quoteattr(reference.name)} checksum={quoteattr(reference.checksum)}"
        f" checksumhashtype={quoteattr(reference.hash_type or 'none')} />"
        for reference in references
    ]
    return "\n".join([*lines, "</files>", ""]).encode()


def good(title: str, data: bytes, *processed: str) -> Case:
    """A manifest without a problem."""
    return Case(title, data, None, {}, processed or ("accounts.csv",))


def refused(title: str, data: bytes) -> Case:
    """A document that is not a manifest."""
    return Case(title, data, ManifestState.INVALIDSCHEMA)


def invalid(title: str, data: bytes, *problems: str, processed: tuple[str, ...] = ()) -> Case:
    """A manifest with invalid lines; problems: by line, "" where it is good."""
    marks = {index: problem for index, problem in enumerate(problems) if problem}
    return Case(title, data, ManifestState.CONTAINSINVALIDFILES, marks, processed)


def encoded(encoding: str, declared: str | None = None) -> bytes:
    """A good manifest in that encoding."""
    text = f'<?xml version="1.0" encoding="{declared or encoding}"?>\n<files>{line()}</files>'
    return text.encode(encoding)


SEED_LITERAL = b'<filename="accounts.csv"checksum=""checksumhashtype=""/>'

CASES: tuple[Case, ...] = (
    # -- accepted ------------------------------------------------------------------------------
    good("one file with its checksum", files(line())),
    good("two files", files(line(), line("terms.csv", MD5_TERMS)), "accounts.csv", "terms.csv"),
    good("an XML declaration", encoded("utf-8")),
    good("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + files(line())),
    good("UTF-16 with a byte order mark", encoded("utf-16")),
    good("UTF-16 without a byte order mark", files(line()).decode().encode("utf-16-le")),
    good("UTF-16, big-endian", files(line()).decode().encode("utf-16-be")),
    good("ISO-8859-1", encoded("iso-8859-1")),
    good("Windows-1252", encoded("windows-1252")),
    good("no checksum attributes at all", files('<file name="accounts.csv"/>')),
    good("a blank checksum and a blank type", files(line(checksum="", hash_type=""))),
    good("a blank checksum and none", files(line(checksum="", hash_type="none"))),
    good("None in mixed case", files(line(checksum="", hash_type="NoNe"))),
    good("MD5 in capitals", files(line(hash_type="MD5"))),
    good("a checksum in capitals", files(line(checksum=MD5.upper()))),
    good("blanks around the checksum", files(line(checksum=f" {MD5}\t", hash_type=" md5 "))),
    good("any root element", b"<manifest>" + line().encode() + b"</manifest>"),
    good("a bare file element", line().encode()),
    good(
        "capitals in names",
        f'<Files><File Name="accounts.csv" CheckSum="{MD5}" '
        'ChecksumHashType="Md5"></File></Files>'.encode(),
    ),
    good("filename for name", b'<files><file filename="accounts.csv"/></files>'),
    good(
        "name and filename that agree",
        b'<files><file name="accounts.csv" filename="accounts.csv"/></files>',
    ),
    good("a namespace", b'<f:files xmlns:f="urn:x"><f:file name="accounts.csv"/></f:files>'),
    good("files in a group", b"<delivery><files>" + line().encode() + b"</files></delivery>"),
    good(
        "other elements and attributes are ignored",
        b'<files date="today"><note>hello</note><file name="accounts.csv" size="3"/></files>',
    ),
    good("a file that is commented out", files("<!-- " + line("gone.csv") + " -->", line())),
    good("single quotes and blanks", b"<files><file\n  name = 'accounts.csv'\n/></files>"),
    good("a character reference", b'<files><file name="accounts&#46;csv"/></files>'),
    good(
        "an INVALID attribute of an earlier run",
        b'<files><file name="accounts.csv" INVALID="FileNotFound"/></files>',
    ),
    # -- as campuses' systems write them; the meaning is clear
    good("UTF-16 that calls itself UTF-8", encoded("utf-16", declared="utf-8")),
    good("UTF-16 without a mark that calls itself UTF-8", encoded("utf-16-le", declared="utf-8")),
    good("UTF-8 that calls itself UTF-16", encoded("utf-8", declared="utf-16")),
    good("UTF-8 with a mark that calls itself UTF-16", encoded("utf-8-sig", declared="UTF-16")),
    good(
        "UTF-8 with a mark that calls itself Latin 1", encoded("utf-8-sig", declared="iso-8859-1")
    ),
    good("a blank line before the declaration", b"\r\n" + encoded("utf-8")),
    good("blanks and a mark before the declaration", b" \n\xef\xbb\xbf" + encoded("utf-8")),
    good("two byte order marks", b"\xef\xbb\xbf" * 2 + encoded("utf-8")),
    good(
        "a blank line before the declaration, in UTF-16",
        ("\ufeff\r\n" + encoded("utf-8").decode()).encode("utf-16-le"),
    ),
    good("a final Ctrl-Z", encoded("utf-8") + b"\r\n\x1a"),
    good("final NUL bytes", encoded("utf-8") + b"\0\0\0"),
    good("a final Ctrl-Z of two bytes, in UTF-16", encoded("utf-16") + b"\x1a\0"),
    good("a final Ctrl-Z of one byte, in UTF-16", encoded("utf-16") + b"\x1a"),
    good("an MD5 in pairs, as certutil writes it", files(line(checksum=PAIRS.upper()))),
    good("an MD5 with hyphens, as .NET writes it", files(line(checksum=PAIRS.replace(" ", "-")))),
    good("an MD5 with a line break in it", files(line(checksum=f"{MD5[:16]}&#10;{MD5[16:]}"))),
    # -- not a manifest ------------------------------------------------------------------------
    refused("the seed's own example, to the letter", SEED_LITERAL),
    refused("the seed's example in a root element", b"<files>" + SEED_LITERAL + b"</files>"),
    refused("nothing", b""),
    refused("only blanks", b" \r\n\t "),
    refused("plain text", b"accounts.csv\n"),
    refused("a CSV", ACCOUNTS),
    refused("JSON", b'{"file": "accounts.csv"}'),
    refused("cut off", files(line())[:-9]),
    refused("no file element", b"<files></files>"),
    refused("name and filename that differ", files('<file name="a.csv" filename="b.csv"/>')),
    refused(
        "two checksums in two spellings", files('<file name="a.csv" checksum="" Checksum="1"/>')
    ),
    refused("the same attribute twice", files('<file name="a.csv" name="a.csv"/>')),
    refused(
        "a file inside a file", b'<files><file name="a.csv"><file name="b.csv"/></file></files>'
    ),
    refused("text after the end", files(line()) + b"more"),
    refused("a document type", b"<!DOCTYPE files>" + files(line())),
    refused("an unknown encoding", encoded("ascii", declared="klingon")),
    refused("an ampersand as it is", files(line("R&D.csv"))),
    refused("bytes that are no UTF-8", b'<files><file name="\xff.csv"/></files>'),
    refused("1,001 files", files(*(f'<file name="{n}.csv"/>' for n in range(1001)))),
    # -- invalid lines -------------------------------------------------------------------------
    invalid("a missing file", files(line("gone.csv", "", "")), "FileNotFound"),
    invalid("another case", files(line("Accounts.csv")), "FileNotFound"),
    invalid("a blank too many", files(line("accounts.csv ")), "FileNotFound"),
    invalid("a wrong checksum", files(line(checksum=WRONG)), "ChecksumMismatch"),
    invalid(
        "missing and with an unusable checksum: missing comes first",
        files(line("gone.csv", "x")),
        "FileNotFound",
    ),
    invalid("md5 and a blank checksum", files(line(checksum="")), "BadChecksum"),
    invalid("none and a checksum", files(line(hash_type="none")), "BadChecksum"),
    invalid("no type and a checksum", files(line(hash_type="")), "BadChecksum"),
    invalid("sha1", files(line(checksum="a" * 40, hash_type="sha1")), "BadChecksum"),
    invalid("a checksum too short", files(line(checksum=MD5[:-1])), "BadChecksum"),
    invalid("a checksum with other letters", files(line(checksum="g" * 32)), "BadChecksum"),
    invalid("a file with a blank name", files('<file name="  "/>'), "BadName"),
    invalid(
        "one file without a name among others",
        files('<file checksum=""/>', line()),
        "BadName",
        processed=("accounts.csv",),
    ),
    invalid("a path", files(line("../accounts.csv")), "BadName"),
    invalid("a file of another folder", files(line("Section/accounts.csv")), "BadName"),
    invalid("a Windows path", files(line("C:\\data\\accounts.csv")), "BadName"),
    invalid("the parent", files(line("..", "", "")), "BadName"),
    invalid("a hidden file", files(line(".accounts.csv")), "BadName"),
    invalid("a line break in the name", files(line("accounts&#10;.csv")), "BadName"),
    invalid("a manifest", files(line("accounts.DONE", "", "")), "BadName"),
    invalid("a state of a manifest", files(line("x.done.PROCESSING", "", "")), "BadName"),
    invalid("a name too long", files(line("ä" * 128, "", "")), "BadName"),
    invalid(
        "a file named twice", files(line(), line()), "", "Duplicate", processed=("accounts.csv",)
    ),
    invalid(
        "one missing, one good",
        files(line("gone.csv", "", ""), line()),
        "FileNotFound",
        processed=("accounts.csv",),
    ),
    invalid(
        "one good, one wrong, one bad",
        files(line(), line("terms.csv", WRONG), line("a/b")),
        "",
        "ChecksumMismatch",
        "BadName",
        processed=("accounts.csv",),
    ),
    invalid(
        "a stale INVALID attribute gives way to the new one",
        files(
            '<file INVALID="BadName" name="gone.csv"/>',
            '<file name="accounts.csv" invalid="FileNotFound"/>',
        ),
        "FileNotFound",
        processed=("accounts.csv",),
    ),
    Case(
        "a folder of that name is no file",
        files(line("archive", "", "")),
        ManifestState.CONTAINSINVALIDFILES,
        {0: "FileNotFound"},
    ),
)
