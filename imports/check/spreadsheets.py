"""What spreadsheets make of values: guards against being read as numbers, errors, rounded numbers.

Certain guards are taken off: `="00031"` and `'00032` keep leading zeros, an apostrophe before
= + - @ keeps a formula from being run (`portal.people_csv`). What has lost its digits cannot be
read: it is named, with what to do. Pure: whole columns at a time.
"""

from __future__ import annotations

import re

import polars as pl

from portal.people_csv import ACTIVE, PLAIN_NUMBER

# Excel's errors in English, Spanish, German, French, Italian, Portuguese, Dutch, Swedish, Danish,
# Norwegian, Finnish, Polish, Czech, Hungarian, Russian and Turkish; LibreOffice's and Google's.
_NAMED_ERRORS = (
    "#N/A #REF! #NAME? #VALUE! #DIV/0! #NULL! #NUM! #SPILL! #CALC! #FIELD! #BLOCKED! #CONNECT!"
    " #UNKNOWN! #BUSY! #GETTING_DATA #EXTERNAL! #PYTHON! #ERROR! #TIMEOUT! #N/D #¡REF! #¿NOMBRE?"
    " #¡VALOR! #¡DIV/0! #¡NULO! #¡NUM! #¡DESBORDAMIENTO! #¡CALC! #NV #BEZUG! #WERT! #ZAHL!"
    " #ÜBERLAUF! #KALK! #NOM? #VALEUR! #NUL! #NOMBRE! #PROPAGATION! #RIF! #NOME? #VALORE! #NULLO!"
    " #VALOR! #NULO! #NÚM! #NUM? #DESPEJAR! #N/B #VERW! #NAAM? #WAARDE! #DEEL/0! #LEEG! #GETAL!"
    " #SAKNAS! #REFERENS! #NAMN? #VÄRDEFEL! #DIVISION/0! #SKÄRNING! #OGILTIGT! #I/T #REFERENCE!"
    " #NAVN? #VÆRDI! #VERDI! #PUUTTUU! #VIITTAUS! #NIMI? #ARVO! #JAKO/0! #TYHJÄ! #LUKU! #N/D!"
    " #ADR! #NAZWA? #ARG! #DZIEL/0! #ZERO! #LICZBA! #ODKAZ! #NÁZEV? #HODNOTA! #DĚLENÍ_NULOU!"
    " #HIÁNYZIK #HIV! #NÉV? #ÉRTÉK! #ZÉRÓOSZTÓ! #NULLA! #SZÁM! #Н/Д #ССЫЛКА! #ИМЯ? #ЗНАЧ! #ДЕЛ/0!"  # noqa: RUF001
    " #ПУСТО! #ЧИСЛО! #YOK #BAŞV! #AD? #DEĞER! #SAYI/0! #BOŞ! #SAYI!"
)
_ERRORS = frozenset(_NAMED_ERRORS.split())
_ERROR_SHAPE = r"^#[¡¿]?[\p{L}][\p{L}0-9_/]*[!?]$"
_TOO_NARROW = r"^#{3,}$"
_LIBRE_ERROR = r"^Err:5[0-9]{2}$"
_CELLS = r"(?:(?:'[^']+'|[\w.]+)!)?\$?[A-Z]{1,3}\$?[0-9]+(?::\$?[A-Z]{1,3}\$?[0-9]+)?"
_CALL = r"[\p{L}_][\p{L}0-9._]*\(.*\)"
_OPERAND = rf"""[-+]?(?:{_CALL}|{_CELLS}|[0-9]+(?:[.,][0-9]+)?%?|"[^"]*"|\(.+\))"""
# A call, a cell, or a computation of several operands; one number or text alone is a guard.
_FORMULA = rf"^=\s*(?:{_CALL}|{_CELLS}|{_OPERAND}(?:\s*[-+*/^&<>=]+\s*{_OPERAND})+)$"
_MONTH = (
    "(?:jan|ene|gen|janv|feb|fev|fév|févr|mar|mär|mrz|mars|apr|abr|avr|may|mai|mag|maj|jun|juin|giu"
    "|jul|juil|lug|aug|ago|aoû|août|sep|sept|set|oct|okt|ott|out|nov|dec|déc|dic|dez)"
)
_ROUNDED = r"(?i)^[+-]?[0-9](?:[.,][0-9]+)?E[+-][0-9]{2,3}$"
_DAY_AND_MONTH = rf"(?i)^[0-9]{{1,2}}[-. /]+{_MONTH}\.?$"
# The same, and a month with a year, for PostgreSQL, which has other flags.
DATE_OF_CODE = rf"^[0-9]{{1,2}}[-. /]+{_MONTH}\.?$|^{_MONTH}\.?[-. /]+[0-9]{{2}}$"
_DECIMALS = r"^[0-9]{3,}\.0+$"
_THOUSANDS = r"^[0-9]{1,3}(?:,[0-9]{3})+$"
_SEPARATED = r"^[1-9][0-9]{0,2}(?:(?:\.[0-9]{3}){2,}|(?:['’ ][0-9]{3})+)$"  # noqa: RUF001
_MONTH_AND_YEAR = rf"(?i)^{_MONTH}\.?[-. /]+[0-9]{{2}}$"
_DATE = (
    r"^(?:[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?: .*)?|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]00:00(?::00)?)$"
)
_TIME = r"^[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?: ?[AaPp][Mm])?$"
# TRUE and FALSE, and what a spreadsheet of another language makes of them.
TRUTH = (
    r"^(?:true|false|verdadero|falso|wahr|falsch|vrai|faux|vero|verdadeiro|waar|onwaar|sant"
    r"|falskt|sand|falsk|prawda|fałsz|pravda|nepravda|igaz|hamis|истина|ложь)$"
)
_SERIAL = re.compile(r"[34][0-9]{4}(?:\.[0-9]+)?")  # 1982 to 2036, in days since 1899-12-30

_AGAIN = "Format the column as text, fill the identifiers in from where they come, and export again"
_LINK = r"^(?i:mailto:)([^\s@:?]+@[^\s@:?]+)(?:\?.*)?$"  # how a sheet keeps a link to an address
_GUARDED = rf"""^\s*(?:'|=")|{_LINK}"""

_CAUSES = (
    (_ROUNDED, f"a spreadsheet rounded a long number, and its last digits are lost. {_AGAIN}"),
    (_DAY_AND_MONTH, f"a spreadsheet made a date of a code such as MAR1 or 1-3. {_AGAIN}"),
    (_DECIMALS, "a program wrote a whole number with decimals. Send the identifier without them"),
    (_THOUSANDS, "a program separated its digits. Send the identifier without the commas"),
)
DAMAGED = "|".join(f"(?:{shape})" for shape, _ in _CAUSES)
# Read as it stands, with a warning: it may be what was meant.
_SUSPECTS = (
    (_MONTH_AND_YEAR, "a date that a spreadsheet made of a code"),
    (_DATE, "a date that a spreadsheet made of a code"),
    (_SEPARATED, "a number whose digits a program separated"),
    (_TIME, "a time that a spreadsheet made of a code such as 10:30"),
    (f"(?i){TRUTH}", "a truth value that a spreadsheet made of a code"),
)
SUSPECT = "|".join(f"(?:{shape})" for shape, _ in _SUSPECTS)
ROUNDED = _ROUNDED
SUSPECT_MESSAGE = '"{column}" is "{value}". It was taken as it stands, but it looks like'
ERROR_MESSAGE = (
    '"{column}" is "{value}", which a spreadsheet shows where it has no value: a formula failed, or'
    " the column was too narrow. Write the value itself there."
)
FORMULA_MESSAGE = (
    '"{column}" is the formula "{value}", not its result. Paste the column as values, and export'
    " again."
)
RESTORED_MESSAGE = (
    '"{column}": what a spreadsheet put around the value, as in {value}, was taken off.'
    " Nothing needs to be done if that is right."
)
DAY_ZERO_MESSAGE = (
    '"{column}" is "{value}". It was taken as it stands, but spreadsheets show an empty cell or a'
    " zero as this day. If there is no date, leave the cell empty, and send the row again."
)
PRECISION_MESSAGE = (
    '"{column}" has numbers of 16 and more digits that all end in zeros, such as "{value}".'
    " They were taken as they stand, but spreadsheets keep 15 digits only. Compare them with where"
    " they come from."
)


def damage(identifier: str) -> str:
    """Why an identifier that `DAMAGED` fits is none, and what to do: after a blank, as a hint."""
    return " " + next(cause for shape, cause in _CAUSES if re.search(shape, identifier)) + "."


def suspicion(identifier: str) -> str:
    """What an identifier that `SUSPECT` fits may be, and what to do then: as a hint."""
    kind = next(kind for shape, kind in _SUSPECTS if re.search(shape, identifier))
    return (
        f" {kind}. If the code was another one, format the column as text, fill the codes in again,"
        " and send the rows once more."
    )


def restored(cells: pl.Series, *, identifiers: bool) -> pl.Series:
    """The cells without the guards that keep spreadsheets from reading them as something else."""
    at = cells.str.contains(_GUARDED).fill_null(False).arg_true()
    if not at.len():
        return cells
    text = pl.col("text").str.strip_chars_start()
    frame = pl.DataFrame({"text": cells.gather(at)}).select(_unguarded(text, identifiers))
    frame = frame.select(_unquoted(pl.col("text")))
    frame = frame.select(pl.col("text").str.replace(_LINK, "$1"))
    return cells.clone().scatter(at, frame.to_series())


def _unguarded(text: pl.Expr, identifiers: bool) -> pl.Expr:
    """The text that `portal.people_csv.neutralise` was given, or a number without its mark."""
    core = text.str.strip_chars_start("'")
    plain = rf"^{PLAIN_NUMBER}$"
    active = core.str.slice(0, 1).is_in(list(ACTIVE)) & ~core.str.contains(plain)
    number = text.str.contains(r"^'[0-9][^']*$" if identifiers else r"^'[0-9]+\s*$")
    return (
        pl.when(text.str.starts_with("'") & (active | number))
        .then(text.str.slice(1))
        .otherwise(text)
    )


def _unquoted(text: pl.Expr) -> pl.Expr:
    text = text.str.strip_chars_end()
    inner = text.str.slice(2, text.str.len_chars() - 3).str.replace_all('""', '"', literal=True)
    quoted = text.str.contains(r'^=".*"$') & (text.str.len_chars() > 2)
    return pl.when(quoted).then(inner.str.strip_chars()).otherwise(text)


def errors(cells: pl.Series, *, identifiers: bool) -> pl.Series:
    """True where a cell is the error that a spreadsheet shows instead of a value."""
    upper = cells.str.strip_chars().str.to_uppercase()
    shown = upper.is_in(list(_ERRORS)) | cells.str.contains(f"{_TOO_NARROW}|{_LIBRE_ERROR}")
    return (shown | upper.str.contains(_ERROR_SHAPE) if identifiers else shown).fill_null(False)


def formulas(cells: pl.Series) -> pl.Series:
    """True where a cell is a formula instead of its result."""
    return cells.str.contains(_FORMULA).fill_null(False)


def imprecise(cells: pl.Series) -> pl.Series:
    """True at numbers of more than 15 digits, where all of them end in zeros from there on.

    They are so by chance in one of a thousand cases, where these zeros are three together.
    """
    long = cells.filter((cells.str.len_bytes() > 15).fill_null(False))
    long = long.filter(long.str.contains("^[0-9]{16,30}$"))
    zeros = long.unique().str.len_bytes().cast(pl.Int64) - 15
    if zeros.sum() < 3 or not long.str.contains("^[0-9]{15}0+$").all():
        return pl.zeros(cells.len(), pl.Boolean, eager=True)
    return cells.is_in(long.implode()).fill_null(False)


def day_zero(cells: pl.Series) -> pl.Series:
    """True at dates, as ISO texts, that a spreadsheet shows for an empty cell or a zero."""
    return cells.str.contains(r"^(?:1899-12-3[01]|1900-01-01|1904-01-01)").fill_null(False)


def day_number(text: str) -> bool:
    """Whether the text may be a spreadsheet's number of a day."""
    return _SERIAL.fullmatch(text) is not None
