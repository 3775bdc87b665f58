"""What can be wrong with a file or a row: the codes, their severity, and one issue.

Every message says what was found, what was expected and what to do (ground rule: bad input gets
a clear answer). Codes are stable: senders' scripts may test them. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

SHOWN_CHARACTERS = 200  # of one value of a file (a cell, a column's name) in an issue or on a page

_IN_FULL = 3  # issues whose messages a headline has
_NAMED = 20  # columns that a headline names


class Severity(enum.StrEnum):
    ERROR = "error"  # the row is rejected, or the file fails
    WARNING = "warning"  # the row is accepted, the sender is warned


class Code(enum.StrEnum):
    """Row codes first, then file codes. A file code refuses the whole file."""

    # one row, by the scanner
    TOO_FEW_CELLS = "too_few_cells"
    TOO_MANY_CELLS = "too_many_cells"
    BAD_QUOTE = "bad_quote"
    OPEN_QUOTE = "open_quote"
    BAD_ENCODING = "bad_encoding"
    NUL_BYTE = "nul_byte"
    CELL_TOO_LARGE = "cell_too_large"
    ROW_TOO_LARGE = "row_too_large"
    NOT_JSON = "not_json"
    BLANK_ROWS = "blank_rows"  # left out, a warning
    FOOTER = "footer"  # likewise
    REPEATED_HEADER = "repeated_header"  # likewise
    UNLIKELY_LETTERS = "unlikely_letters"  # a warning
    INNER_QUOTES = "inner_quotes"  # a warning
    # one row, by the field and row rules
    REQUIRED = "required"
    TOO_LONG = "too_long"
    NOT_AN_EMAIL = "not_an_email"
    NOT_IN_LIST = "not_in_list"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_DATE = "not_a_date"
    NOT_A_BOOLEAN = "not_a_boolean"
    BAD_FORMAT = "bad_format"
    SPREADSHEET_DAMAGE = "spreadsheet_damage"  # a value that a spreadsheet changed
    LOOKS_DAMAGED = "looks_damaged"  # a stored value changed as spreadsheets change values
    RESTORED = "restored"  # read without what a spreadsheet put around it
    MISSING_WORD = "missing_word"  # NULL, NA and the like
    DATE_ORDER = "date_order"  # which of two numbers is the day
    DECIMAL_SIGN = "decimal_sign"  # what the comma of a number means
    SAME_AS = "same_as"
    AFTER = "after"
    MUST_BE_BLANK = "must_be_blank"
    # one row, compared with the file and the store
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_REFERENCE = "unknown_reference"
    REMOVED_REFERENCE = "removed_reference"  # accepted: the record exists, though not active
    REMOVED_DEPENDED_ON = "removed_depended_on"  # what the file removes is referred to
    SUPERSEDED = "superseded"  # a later row of the file says otherwise about the same record
    UNKNOWN_KEY = "unknown_key"
    ONLY_ONE = "only_one"
    CYCLE = "cycle"
    OUTSIDE_PARENT = "outside_parent"
    # the file
    EMPTY_FILE = "empty_file"
    NO_ROWS = "no_rows"
    NOT_TEXT = "not_text"
    SPREADSHEET = "spreadsheet"
    ARCHIVE = "archive"
    UNREADABLE_HEADER = "unreadable_header"
    DUPLICATE_COLUMN = "duplicate_column"
    MISSING_COLUMN = "missing_column"
    WRONG_COLUMN_ORDER = "wrong_column_order"
    TOO_MANY_COLUMNS = "too_many_columns"
    UNKNOWN_COLUMN = "unknown_column"
    OTHER_FEED = "other_feed"  # the columns are those of another feed than the file was sent for
    GUESSED_ENCODING = "guessed_encoding"  # a warning: the file is not UTF-8, nor is it said what
    OTHER_LAYOUT = "other_layout"  # a warning: the file was read in another way than expected
    BAD_TEMPLATE = "bad_template"  # the template does not fit what it is for


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem at one line and column.

    line: physical line of the record's start, 1 is the file's first; None for the whole file.
    column: the header as the file spells it; None where it concerns the row.
    value: the offending one, at most SHOWN_CHARACTERS of it.
    message: one or two sentences, complete without the other attributes.
    """

    code: Code
    message: str
    line: int | None = None
    column: str | None = None
    value: str = ""
    severity: Severity = Severity.ERROR


class FileRefused(Exception):
    """The file cannot be imported at all, by the sender's fault. It carries at least one issue."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(issue.message for issue in issues))
        self.issues = issues

    def with_issues(self, *issues: Issue) -> Self:
        """The same refusal in other words."""
        return type(self)(*issues)


def headline(issues: Sequence[Issue]) -> str:
    """The first reasons in full, and what the others are: a reader mends all of them at once."""
    first, others = issues[:_IN_FULL], issues[_IN_FULL:]
    sentences = [issue.message for issue in first]
    if others and all(issue.code is Code.MISSING_COLUMN and issue.column for issue in others):
        named = ", ".join(f'"{(issue.column or "")[:60]}"' for issue in others[:_NAMED])
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        verb = "is" if len(others) == 1 else "are"
        sentences.append(f"{counted(len(others), 'more column')} {verb} missing: {named}{more}.")
    elif others:
        sentences.append(f"There {'is' if len(others) == 1 else 'are'} {len(others):,} more.")
    return " ".join(sentences)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: "1 line", "1,200 lines"; the plural must end in s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
