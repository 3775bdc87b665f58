"""What a cell of each type may look like, and what is stored for it: whole columns at a time.

Stored values are JSON: text, numbers, booleans, dates as ISO text, lists of text. The accepted
spellings are those of the Core Data dictionary (research notes, 1.5). Pure: polars expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from imports.check import hints, moments
from imports.check.characters import comparable
from imports.issues import Code
from portal.events import payloads
from portal.records.definitions import Field, FieldType

# What counts as blank where the field cannot be such a word (dictionary, research notes 1.5).
MISSING = ("", "NULL", "NA", "N/A", "na", "n/a")
# No identifier, and no part of a name that is joined; NA may be both.
NO_NAME = ("", "NULL", "N/A", "n/a")
_BLANK = ("",)
# Words that programs write for a missing value, and that a text may be.
MISSING_WORDS = (*MISSING[1:], "None", "none", "null", "nan", "NaN")

_DIGITS = r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)"
_INTEGER = rf"^-?{_DIGITS}(?:\.0*)?$"
_NUMBER = rf"^-?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)$"
# Which could be a number with thousands, or one with decimals; and which only has a decimal comma.
_EITHER_NUMBER = r"^-?[1-9][0-9]{0,2}[.,][0-9]{3}$"
_COMMA_NUMBER = r"^-?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),(?:[0-9]{1,2}|[0-9]{4,}|[0-9]*)$"
_CREDIT = r"^[0-9]{1,2}(?:[.,][0-9]{0,2})?$"
_ATOM = r"[^\s\x00-\x1f\x7f@,;:<>()\"]"
_EMAIL = rf"^{_ATOM}+@(?:[^\s\x00-\x1f\x7f@,;<>()\".]+\.)+[^\s\x00-\x1f\x7f@,;<>()\".]{{2,}}$"
# The families of CIP 2010 and 2020 (NCES); of the codes within a family only the form is checked.
_CIP_FAMILIES = "0[13459]|1[0-6]|19|2[2-9]|3[0-9]|4[0-9]|5[0-4]|6[01]"
_CIP = rf"^(?:{_CIP_FAMILIES})(?:\.[0-9]{{2}}(?:[0-9]{{2}})?)?$"
_ZIP = r"^[0-9]{5}(?:-[0-9]{4})?$"
_GUID = r"^[A-Za-z0-9.\-_/@]{1,255}$"
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_NAMED_VALUES = 12


@dataclass(frozen=True, slots=True)
class Check:
    """One way in which a cell may fail.

    failed: Boolean, true where the cell is wrong; null counts as false. message: the cell, and
    what was expected; `{column}` and `{value}` stand for the header and the cell. hint: what one
    wrong cell may have been meant as, a sentence after a blank, or nothing.
    """

    code: Code
    failed: pl.Expr
    message: str
    hint: Callable[[str], str] | None = None


def missing_in(field: Field) -> tuple[str, ...]:
    """What counts as blank in a field: in a text only nothing, for NULL and NA may be names."""
    if field.references is not None:
        return NO_NAME if field.type is FieldType.TEXT else MISSING
    return _BLANK if field.type in (FieldType.TEXT, FieldType.GUID) else MISSING


def clean(raw: pl.Expr, missing: Collection[str] = _BLANK) -> pl.Expr:
    """Return the cell without surrounding white space; null where it is one of the missing ones."""
    text = raw.str.strip_chars()
    return pl.when(~text.is_in(list(missing))).then(text)


def parse(field: Field, cell: pl.Expr) -> pl.Expr:
    """Return what is stored for a cleaned cell; null where it is blank or cannot be read."""
    return _elements(field, cell) if field.many else _PARSERS[field.type](field, cell)


def is_blank(field: Field, cell: pl.Expr, value: pl.Expr) -> pl.Expr:
    """True where the field has no value; a list without elements counts as none."""
    return value.is_null() if field.many else cell.is_null()


def checks(field: Field, cell: pl.Expr, value: pl.Expr) -> tuple[Check, ...]:
    """All ways in which a cleaned cell of that field may fail by itself, except by being blank.

    value: the column that `parse` made of the cell. What spreadsheets do to cells, and characters
    that no key holds, are looked for in `cell_notes`.
    """
    cell_checks = []
    if field.type is not FieldType.TEXT:
        code, expected = _EXPECTED[field.type]
        unread = cell.is_not_null() & value.is_null()
        message = f'"{{column}}" is "{{value}}". {expected(field)}'
        cell_checks.append(Check(code, unread, message, hints.hint_of(field)))
    if field.max_length is not None:
        cell_checks.append(_length_check(field, cell, value))
    if field.pattern is not None:
        cell_checks.append(_pattern_check(field, cell, value))
    return tuple(cell_checks)


def _length_check(field: Field, cell: pl.Expr, value: pl.Expr) -> Check:
    limit = field.max_length
    lengths = value.list.eval(pl.element().str.len_chars()).list.max() if field.many else None
    failed = (cell.str.len_chars() if lengths is None else lengths) > limit
    message = (
        f'"{{column}}" is longer than {limit} characters: it begins with "{{value}}".'
        f" Shorten it to at most {limit}."
    )
    return Check(Code.TOO_LONG, failed, message)


def _pattern_check(field: Field, cell: pl.Expr, value: pl.Expr) -> Check:
    pattern = rf"^(?:{field.pattern})$"
    if field.many:
        failed = value.list.eval(~pl.element().str.contains(pattern)).list.any()
    else:
        failed = ~cell.str.contains(pattern) & value.is_not_null()  # told once, as what it is not
    return Check(Code.BAD_FORMAT, failed, f'"{{column}}" is "{{value}}". {field.pattern_words}')


def _elements(field: Field, cell: pl.Expr) -> pl.Expr:
    """The list in a cell, separated by comma, semicolon or bar, without blanks and repetitions."""
    parts = cell.str.replace_all(r"[;|]", ",").str.split(",")
    kept = (
        parts.list.eval(clean(pl.element(), missing_in(field)))
        .list.drop_nulls()
        .list.unique(maintain_order=True)
    )
    return pl.when(kept.list.len() > 0).then(kept)


def _text(_: Field, cell: pl.Expr) -> pl.Expr:
    return cell


def _shaped(shape: str) -> Callable[[Field, pl.Expr], pl.Expr]:
    def parser(_: Field, cell: pl.Expr) -> pl.Expr:
        return pl.when(cell.str.contains(shape)).then(cell)

    return parser


def _enum(field: Field, cell: pl.Expr) -> pl.Expr:
    spellings = {comparable(a).lower(): value for a, value in field.value_aliases.items()}
    spellings |= {comparable(value).lower(): value for value in field.values}
    return cell.str.to_lowercase().replace_strict(spellings, default=None, return_dtype=pl.String)


def _boolean(_: Field, cell: pl.Expr) -> pl.Expr:
    return cell.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)


def _integer(_: Field, cell: pl.Expr) -> pl.Expr:
    shaped = pl.when(cell.str.contains(_INTEGER)).then(cell)
    return shaped.str.replace_all(r",|\..*", "").cast(pl.Int64, strict=False)


def _number(field: Field, cell: pl.Expr) -> pl.Expr:
    text = cell
    if field.decimal_comma is None:
        text = pl.when(~cell.str.contains(_EITHER_NUMBER)).then(cell)
        commas = text.str.contains(_COMMA_NUMBER)
        text = pl.when(commas).then(_exchanged(text)).otherwise(text)
    elif field.decimal_comma:
        text = _exchanged(cell)
    return _as_number(pl.when(text.str.contains(_NUMBER)).then(text))


def _exchanged(text: pl.Expr) -> pl.Expr:
    """Commas for points and points for commas."""
    return text.str.replace_many([",", "."], [".", ","])


def _credit(_: Field, cell: pl.Expr) -> pl.Expr:
    """Credits are too small to have thousands: a comma can only be the decimal one."""
    shaped = pl.when(cell.str.contains(_CREDIT)).then(cell)
    return _as_number(shaped.str.replace(",", ".", literal=True))


def _as_number(text: pl.Expr) -> pl.Expr:
    number = text.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _date(field: Field, cell: pl.Expr) -> pl.Expr:
    return moments.date(cell, field.day_first)


def _moment(field: Field, cell: pl.Expr) -> pl.Expr:
    return moments.moment(cell, field.day_first)


def _object(_: Field, cell: pl.Expr) -> pl.Expr:
    return cell.map_elements(payloads.object_text, return_dtype=pl.String, skip_nulls=True)


def _sentence(sentence: str) -> Callable[[Field], str]:
    return lambda _: sentence


def _one_of(field: Field) -> str:
    named = ", ".join(field.values[:_NAMED_VALUES])
    rest = len(field.values) - _NAMED_VALUES
    return f"Use one of: {named}{f' (and {rest} more)' if rest > 0 else ''}."


_PARSERS: Mapping[FieldType, Callable[[Field, pl.Expr], pl.Expr]] = MappingProxyType(
    {
        FieldType.TEXT: _text,
        FieldType.EMAIL: _shaped(_EMAIL),
        FieldType.ENUM: _enum,
        FieldType.INTEGER: _integer,
        FieldType.NUMBER: _number,
        FieldType.CREDIT: _credit,
        FieldType.BOOLEAN: _boolean,
        FieldType.DATE: _date,
        FieldType.DATETIME: _moment,
        FieldType.CIP: _shaped(_CIP),
        FieldType.ZIP: _shaped(_ZIP),
        FieldType.GUID: _shaped(_GUID),
        FieldType.OBJECT: _object,
    }
)
_EXPECTED: Mapping[FieldType, tuple[Code, Callable[[Field], str]]] = MappingProxyType(
    {
        FieldType.EMAIL: (
            Code.NOT_AN_EMAIL,
            _sentence("Expected one e-mail address such as name@example.edu."),
        ),
        FieldType.ENUM: (Code.NOT_IN_LIST, _one_of),
        FieldType.INTEGER: (
            Code.NOT_A_NUMBER,
            _sentence("Expected a whole number such as 1200, 1,200 or -3."),
        ),
        FieldType.NUMBER: (
            Code.NOT_A_NUMBER,
            _sentence("Expected a number such as 3.75, 1,200.5 or -3."),
        ),
        FieldType.CREDIT: (
            Code.NOT_A_NUMBER,
            _sentence("Expected credits such as 3, 3.5 or 12.25: at most 2 digits on either side."),
        ),
        FieldType.BOOLEAN: (Code.NOT_A_BOOLEAN, _sentence("Expected true, false, T, F, 1 or 0.")),
        FieldType.DATE: (
            Code.NOT_A_DATE,
            _sentence("Expected a date that exists, such as 2026-08-24 or 8/24/2026."),
        ),
        FieldType.DATETIME: (
            Code.NOT_A_DATE,
            _sentence(
                "Expected a date that exists, with or without a time, such as 2026-08-24,"
                " 2026-08-24T17:00:00-07:00, 8/24/2026 or 8/24/2026 5:00 PM."
            ),
        ),
        FieldType.CIP: (
            Code.BAD_FORMAT,
            _sentence("Expected a CIP code such as 26, 26.01 or 26.0101, of a family that exists."),
        ),
        FieldType.ZIP: (
            Code.BAD_FORMAT,
            _sentence("Expected a ZIP code such as 05401 or 05401-1234."),
        ),
        FieldType.GUID: (
            Code.BAD_FORMAT,
            _sentence("Expected at most 255 letters, digits and . - _ / @."),
        ),
        FieldType.OBJECT: (
            Code.BAD_FORMAT,
            _sentence(
                'Expected a JSON object such as {"score": 0.9}, of at most 64 KiB and 20 levels.'
            ),
        ),
    }
)
