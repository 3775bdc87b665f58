"""The good rows in the form of the staging table: key, hash, operation, JSON document. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import polars as pl

from imports.check.keys import key_text, text_hash
from imports.check.masks import OPERATION, hashes_of
from imports.check.row_rules import Cell, is_one_of
from portal.records.definitions import Blank, Feed, RecordType


def key_column(record_type: RecordType, cells: Mapping[str, Cell]) -> pl.Expr:
    """Return the column `key`."""
    parts = [cells[name].value for name in record_type.key]
    return key_text(parts, record_type.fold_key).alias("key")


def columns(feed: Feed, record_type: RecordType, cells: Mapping[str, Cell]) -> list[pl.Expr]:
    """Return the columns of good rows, from a frame that has `line`, `key` and `source_hash`."""
    return [
        pl.col("line"),
        pl.col("key"),
        text_hash(pl.col("key")).alias("key_hash"),
        pl.col(OPERATION),
        _document(feed, record_type, cells).alias("data"),
        pl.col("source_hash"),
        *_own_references(record_type, cells),
        *_candidates_for_one(record_type, cells),
    ]


def _document(feed: Feed, record_type: RecordType, cells: Mapping[str, Cell]) -> pl.Expr:
    """Write the mapped fields as JSON: null where a blank clears, no member where it keeps.

    Members that may be removed come first and the key, which is never null, comes last: so each
    removed member is `"name":null,` with its comma. That text cannot be inside a value, where the
    quotation marks would be escaped.
    """
    kept = [c for c in cells.values() if _keeps(c, feed)]
    key = [cells[name] for name in record_type.key]
    rest = [c for c in cells.values() if c not in kept and c not in key]
    members = pl.struct(c.value.alias(c.field.name) for c in (*kept, *rest, *key))
    document = members.struct.json_encode()
    if not kept:
        return document
    removed = [f"{json.dumps(c.field.name, ensure_ascii=False)}:null," for c in kept]
    return document.str.replace_many(removed, [""] * len(removed))


def _keeps(cell: Cell, feed: Feed) -> bool:
    return not cell.field.required and (cell.field.blank or feed.blank) is Blank.KEEP


def _own_references(record_type: RecordType, cells: Mapping[str, Cell]) -> Iterable[pl.Expr]:
    for name, cell in cells.items():
        if cell.field.references == record_type.name:
            yield hashes_of(cell, record_type.fold_key).alias(f"self:{name}")


def _candidates_for_one(record_type: RecordType, cells: Mapping[str, Cell]) -> Iterable[pl.Expr]:
    for rule in record_type.rules:
        if rule.kind == "only_one" and rule.field in cells:
            yield is_one_of(cells[rule.field], rule.values).alias(f"only:{rule.field}")
