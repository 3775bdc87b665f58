"""Files that are not delimited text are refused with what they are and what to do instead. Pure."""

from __future__ import annotations

import re

from imports.issues import Code, FileRefused, Issue

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SHEET_PARTS = (b"xl/", b"[Content_Types].xml", b"opendocument.spreadsheet", b"Index/Document.iwa")
_ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "a ZIP archive",
    b"\x1f\x8b": "a file compressed with gzip",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"BZh": "a file compressed with bzip2",
    b"\xfd7zXZ\x00": "a file compressed with xz",
    b"\x28\xb5\x2f\xfd": "a file compressed with Zstandard",
    b"Rar!\x1a\x07": "a RAR archive",
}
_BINARIES = {
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"II*\x00": "an image",
    b"MM\x00*": "an image",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a program",
    b"{\\rtf": "a word processor document (RTF)",
    b"SQLite format 3\x00": "a database",
    b"\x00\x01\x00\x00Standard ": "an Access database",
    b"PAR1\x15": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"\xff\xfe\x00\x00": "text in UTF-32",
    b"\x00\x00\xfe\xff": "text in UTF-32",
    b"-----BEGIN PGP MESSAGE-----": "encrypted with PGP",
    b"-----BEGIN ": "a key, a certificate or an encrypted message",
    b"age-encryption.org/": "encrypted with age",
    b"version https://git-lfs": "a pointer of Git LFS and not the file itself",
    b"BEGIN:VCARD": "an address book (vCard)",
    b"BEGIN:VCALENDAR": "a calendar (iCalendar)",
}
_HTML = re.compile(rb"(?is)\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head"
                   rb"|body|table|meta)\b")  # fmt: skip
_SHEET_XML = (b"urn:schemas-microsoft-com:office:spreadsheet", b"office:spreadsheet")
_XML = re.compile(rb"(?is)\s*(?:<\?xml\b|<[a-z_][\w.:-]*(?:\s+[\w.:-]+\s*=\s*[\"'][^>]*)?/?>\s*<)")
_JSON = re.compile(rb"\s*(?:\{\s*(?:\"[^\"]*\"\s*:|\})|\[\s*[\[{\]])")
_MHTML = re.compile(rb"(?is)\s*(?:MIME-Version:|Content-Type:|Received:|Return-Path:)")
_SYLK = re.compile(rb"ID;P[^;\r\n]*(?:;[A-Z][^;\r\n]*)*\r?\n[BCFOP];")
_SQL = re.compile(rb"(?is)\s*(?:--[^\n]*\n\s*)*(?:insert\s+into|create\s+table|drop\s+table)\s")
_SAVE = "Open it in a spreadsheet program, save it as CSV (UTF-8) and send that file"


def refuse(head: bytes) -> None:
    """Raise FileRefused for a file whose beginning shows that it is no delimited text."""
    _refuse_packed(head)
    start = _narrow(head.removeprefix(b"\xef\xbb\xbf"))
    for signature, kind in _BINARIES.items():
        if head.startswith(signature) or start.startswith(signature):
            raise not_text(kind)
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        raise not_text("an image, audio or video file")
    _refuse_markup(start[:4096])


def _narrow(start: bytes) -> bytes:
    """The beginning without the zero bytes of UTF-16."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start[2:8194].replace(b"\0", b"")
    return start[:8192].replace(b"\0", b"") if b"\0" in start[:4] else start[:8192]


def _refuse_packed(head: bytes) -> None:
    if head.startswith(_OLE):
        raise _spreadsheet(
            "an old Excel workbook (XLS), or another document of an office program or one"
            " protected by a password"
        )
    if head.startswith(b"PK\x03\x04") and any(part in head for part in _SHEET_PARTS):
        raise _spreadsheet("a spreadsheet (Excel or similar)")
    if head[257:262] == b"ustar":
        raise _archive("a TAR archive")
    for signature, kind in _ARCHIVES.items():
        if head.startswith(signature):
            raise _archive(kind)


def _refuse_markup(start: bytes) -> None:
    if _HTML.match(start):
        raise _refused(
            Code.NOT_TEXT,
            "The file is a web page (HTML), expected a CSV file. Some programs save a table as a"
            f" web page under the name .xls; others answer with a page to log in. {_SAVE}; or"
            " check the export that made it.",
        )
    if _XML.match(start):
        if any(mark in start for mark in _SHEET_XML):
            raise _spreadsheet("an XML spreadsheet (Excel 2003)")
        raise not_text("an XML document")
    if _JSON.match(start):
        raise not_text("JSON")
    if _MHTML.match(start):
        raise not_text("a mail or a web archive (MHTML)")
    if _SYLK.match(start):
        raise _spreadsheet("a SYLK spreadsheet")
    if _SQL.match(start):
        raise not_text("a dump of a database (SQL)")


def not_text(kind: str) -> FileRefused:
    """The refusal of a file that is something else."""
    return _refused(
        Code.NOT_TEXT,
        f"The file is {kind}, expected a CSV file. Send the data saved as CSV (UTF-8).",
    )


def _spreadsheet(kind: str) -> FileRefused:
    message = f"The file is {kind}, expected a CSV file. {_SAVE}. Renaming it is not enough."
    return _refused(Code.SPREADSHEET, message)


def _archive(kind: str) -> FileRefused:
    return _refused(
        Code.ARCHIVE,
        f"The file is {kind}, expected a CSV file. Unpack it and send the CSV file inside.",
    )


def _refused(code: Code, message: str) -> FileRefused:
    return FileRefused(Issue(code, message))
