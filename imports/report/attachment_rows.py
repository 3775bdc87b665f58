"""The error attachment's rows: the original columns, then where and why each was rejected. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from imports.check.columns import ATTACHMENT_COLUMNS
from imports.issues import counted
from imports.report.rejects import Reject
from imports.scan import cells
from portal.people_csv import PeopleCsv


def write_attachment(
    target: BinaryIO,
    header: Sequence[str],
    delimiter: str,
    rejects: Iterable[Reject],
    quote: str = '"',
) -> int:
    """Write the error attachment: the original columns, then _line, _column, _code, _error.

    It has one row a record; the columns and codes of several issues are separated by "; ", their
    messages by " | ". Columns of an earlier attachment in `header` are left out, so that a
    corrected attachment that fails again has them once. quote: of the records; the attachment
    itself always has double quotes. Returns the number of rows.
    """
    shown = [at for at, name in enumerate(header) if name not in ATTACHMENT_COLUMNS]
    count = 0
    with PeopleCsv(target, delimiter) as out:
        out.row([*(header[at] for at in shown), *ATTACHMENT_COLUMNS])
        for count, reject in enumerate(rejects, start=1):  # noqa: B007
            values, remark = _fitted(reject.raw, delimiter, len(header), quote)
            out.row([*(values[at] for at in shown), *_report_values(reject, remark)])
    return count


def _fitted(raw: bytes, delimiter: str, columns: int, quote: str) -> tuple[list[str], str]:
    """The record's values, exactly as many as columns, and a remark if that moved any."""
    if not columns:
        return [], ""
    text = raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    values = cells.split(text, delimiter, quote)
    while len(values) > columns and not values[-1].strip():
        values.pop()  # padding, which the scanner leaves out too
    if len(values) <= columns:
        return values + [""] * (columns - len(values)), ""
    kept, surplus = values[: columns - 1], values[columns - 1 :]
    extra, verb = len(surplus) - 1, "is" if len(surplus) == 2 else "are"
    remark = f"The row's {counted(extra, 'extra cell')} {verb} at the end of the last column here."
    return [*kept, delimiter.join(surplus)], remark


def _report_values(reject: Reject, remark: str) -> list[str]:
    """The values of the report columns."""
    messages = dict.fromkeys(issue.message for issue in reject.issues)
    columns = dict.fromkeys(issue.column for issue in reject.issues if issue.column)
    codes = dict.fromkeys(str(issue.code) for issue in reject.issues)
    errors = [*messages, remark] if remark else list(messages)
    line = str(reject.line) if reject.line else ""  # an issue of the whole file has none
    return [line, "; ".join(columns), "; ".join(codes), " | ".join(errors)]
