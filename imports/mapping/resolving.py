"""A template's spec against the header of one file: its mapping, or why there is none. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import xxhash

from imports.check import columns
from imports.check.columns import ATTACHMENT_COLUMNS
from imports.check.computed import ComputedField
from imports.issues import Code, FileRefused, Issue, counted
from imports.mapping.automatch import targets_of
from imports.mapping.definitions import FieldSpec, Missing, Spec, Unknown
from imports.mapping.effective import applied, blank_value, extended, unfit
from imports.mapping.parsing import as_json
from imports.mapping.renaming import ColumnsMissing, renames
from imports.mapping.tables import Tables, named_in
from imports.mapping.transforms import compile_field
from portal.faults import Fault
from portal.records.definitions import Feed, Field, RecordType

_NAMED = 5


class HoldNeeded(ColumnsMissing):
    """The file lacks columns, and the template says that a person decides.

    reasons: one sentence for each column. Who does not hold files treats it as any refusal.
    """

    def __init__(self, header: Sequence[str], *issues: Issue) -> None:
        super().__init__(header, *issues)
        self.reasons = tuple(issue.message for issue in issues)


def resolve(
    spec: Spec, header: Sequence[str], feed: Feed, record_type: RecordType, lookups: Tables
) -> columns.ColumnMapping:
    """The mapping of a file with that header.

    feed, record_type: the catalog's. lookups: the tenant's tables by name. A job whose mapping has
    `reasons` is held after its plan is made. Raises FileRefused (HoldNeeded, where the template
    holds a file that lacks columns) with every fault.
    """
    _refuse_unfit(unfit(spec, feed, record_type, _columns_of(lookups)))
    feed, record_type = applied(spec, feed), extended(record_type, spec.own_fields)
    written, header = header, _known_names(spec, header)
    folded = columns.folded_names(header)
    at = _positions(spec, header, folded)
    own, place = _own_operation(spec, feed), columns.operation_position(folded, feed)
    rule = feed.row_operation
    also = [rule.column] if rule and not own and place is None else []
    _refuse_missing(spec, header, at, also, feed, record_type)
    neutralised = columns.is_attachment(folded)
    binder = _Binder(header, at, lookups)
    plain, computed = _bound(spec, binder, feed, record_type)
    operation = None
    if own is not None and rule is not None:
        place, operation = _bound_operation(binder, own, rule.column, len(computed))
    free = _free(at, folded, place, neutralised)
    kept = columns.kept_columns(header, free, feed, spec.fields)
    free = [i for i in free if i not in dict(kept)]
    return columns.ColumnMapping(
        header=tuple(header),
        columns=tuple(sorted((*plain, *kept), key=lambda column: column[0])),
        operation_column=place,
        ignored=tuple(header[i] for i in free),
        warnings=tuple(_warnings(spec, header, free, at, feed, record_type)),
        neutralised=neutralised,
        fingerprint=_fingerprint(spec, header, feed, record_type, lookups),
        computed=computed,
        reasons=tuple(_reasons(spec, header, free)),
        operation=operation,
        as_written=tuple(written),
    )


def _known_names(spec: Spec, header: Sequence[str]) -> list[str]:
    """The header with those of its numbered names that the template's sample had too.

    Another name that the file has twice stays as it is, and is refused: which column is meant?
    """
    numbered = zip(header, columns.numbered(header), strict=True)
    return [name if name in spec.columns else cell for cell, name in numbered]


def _columns_of(lookups: Tables) -> dict[str, tuple[str, ...]]:
    return {name: table.columns for name, table in lookups.items()}


def _refuse_unfit(faults: Sequence[Fault]) -> None:
    if faults:
        advice = "Correct the template."
        raise FileRefused(*(Issue(Code.BAD_TEMPLATE, f"{fault} {advice}") for fault in faults))


def _positions(spec: Spec, header: Sequence[str], folded: Sequence[str]) -> dict[str, int]:
    """The position of each column of the template that the file has."""
    used = [name for field in spec.fields.values() for name in field.columns]
    exact = {cell.strip(): i for i, cell in enumerate(header[: len(folded)])}
    loose = {name: i for i, name in enumerate(folded)}
    at = {}
    for name in dict.fromkeys([*used, *spec.columns]):
        place = exact.get(name.strip(), loose.get(columns.fold(name)))
        if place is not None and name.strip():
            at[name] = place
    return at


def _own_operation(spec: Spec, feed: Feed) -> FieldSpec | None:
    """The template's source for the feed's row operation."""
    return spec.fields.get(feed.row_operation.column) if feed.row_operation else None


def _refuse_missing(
    spec: Spec,
    header: Sequence[str],
    at: Mapping[str, int],
    also: Sequence[str],
    feed: Feed,
    record_type: RecordType,
) -> None:
    missing: dict[str, list[str]] = {name: [] for name in also}
    for field, source in spec.fields.items():
        for name in source.columns:
            if name not in at:
                missing.setdefault(name, []).append(field)
    if not missing:
        return
    taken = set(at.values())
    free = [cell.strip() for i, cell in enumerate(header) if i not in taken and cell.strip()]
    candidates = free if spec.reading.header_row else []
    fields = targets_of(feed, record_type)
    likely = renames({n: f or [n] for n, f in missing.items()}, candidates, record_type, fields)
    facts = {name: _missing(name, fed) for name, fed in missing.items()}
    issues = likely.issues(facts, ", or correct the template.")
    held = spec.settings.missing_columns is Missing.HOLD
    raise HoldNeeded(header, *issues) if held else ColumnsMissing(header, *issues)


def _missing(name: str, fields: Sequence[str]) -> str:
    taken = ", ".join(f'"{field}"' for field in fields[:_NAMED])
    why = f", which the template uses for {taken}" if fields else ""
    return f'The column "{columns.short(name)}" is missing{why}.'


def _free(
    at: Mapping[str, int],
    folded: Sequence[str],
    operation: int | None,
    neutralised: bool,
) -> list[int]:
    """The columns that neither the template nor an error attachment has."""
    taken = {*at.values(), operation}
    ours = ATTACHMENT_COLUMNS if neutralised else ()
    return [i for i, name in enumerate(folded) if i not in taken and name not in ours]


@dataclass(frozen=True, slots=True)
class _Binder:
    """What compiling any field of one file needs. at: column's name to position."""

    header: Sequence[str]
    at: Mapping[str, int]
    lookups: Tables

    def computed(
        self, source: FieldSpec, field: Field, number: int, default: str | None
    ) -> ComputedField:
        """The field that is more than a plain column. number: of such fields before it."""
        return compile_field(
            source,
            field,
            self.header,
            [self.at[name] for name in source.columns],
            slot=len(self.header) + number,
            lookups=self.lookups,
            default=default,
        )


def _bound(
    spec: Spec, binder: _Binder, feed: Feed, record_type: RecordType
) -> tuple[tuple[tuple[int, Field], ...], tuple[ComputedField, ...]]:
    """The plain columns in the file's order, and the fields that are more than one column."""
    operation = feed.row_operation.column if feed.row_operation else None
    plain: dict[int, Field] = {}
    computed: list[ComputedField] = []
    for name, source in spec.fields.items():
        if name == operation:
            continue
        field = record_type.field(name)
        default = blank_value(spec, source, field, record_type)
        if _is_plain(source, default) and binder.at[source.columns[0]] not in plain:
            plain[binder.at[source.columns[0]]] = field
        else:
            computed.append(binder.computed(source, field, len(computed), default))
    return tuple(sorted(plain.items(), key=lambda column: column[0])), tuple(computed)


def _bound_operation(
    binder: _Binder, source: FieldSpec, name: str, number: int
) -> tuple[int | None, ComputedField | None]:
    """The plain column of the row operation, or else the field that is more than one."""
    if _is_plain(source, source.default):
        return binder.at[source.columns[0]], None
    return None, binder.computed(source, Field(name=name), number, source.default)


def _is_plain(source: FieldSpec, default: str | None) -> bool:
    return source.constant is None and not source.steps and default is None


def _warnings(
    spec: Spec,
    header: Sequence[str],
    free: Sequence[int],
    at: Mapping[str, int],
    feed: Feed,
    record_type: RecordType,
) -> Iterator[Issue]:
    """Of columns that nothing takes, and of those at the end without a name."""
    if free and spec.settings.unknown_columns is not Unknown.IGNORE:
        absent: dict[str, list[str]] = {name: [] for name in spec.columns if name not in at}
        for field, source in spec.fields.items():
            for name in absent.keys() & set(source.columns):
                absent[name].append(field)
        candidates = [header[i].strip() for i in free]
        likely = renames(absent, candidates, record_type, targets_of(feed, record_type))
        yield from columns.unknown_columns(header, free, likely.partners)
    yield from columns.unnamed(len(header) - len(columns.folded_names(header)))


def _reasons(spec: Spec, header: Sequence[str], free: Sequence[int]) -> Iterator[str]:
    if free and spec.settings.unknown_columns is Unknown.HOLD:
        named = ", ".join(f'"{columns.short(header[i])}"' for i in free[:_NAMED])
        more = f" and {len(free) - _NAMED} more" if len(free) > _NAMED else ""
        yield f"The file has columns that are not in the template: {named}{more}."
    if not spec.reading.header_row and spec.columns and len(header) != len(spec.columns):
        yield (
            f"The file has {counted(len(header), 'column')}, the template was made with"
            f" {len(spec.columns)}. Without a header nobody can tell which are new or gone, and a"
            " value may be in the wrong field. Look at the rows; then release the file, or correct"
            " the template."
        )


def _fingerprint(
    spec: Spec, header: Sequence[str], feed: Feed, record_type: RecordType, lookups: Tables
) -> int:
    """A hash of everything that decides a row's values; the order of JSON's keys does not."""
    written = json.dumps(as_json(spec), sort_keys=True)
    tables = [(name, lookups[name].digest) for name in named_in(spec)]
    facts = repr((list(header), feed, record_type, written, tables, columns.WAY_OF_READING))
    return xxhash.xxh3_64_intdigest(facts.encode("utf-8", "surrogatepass"))
