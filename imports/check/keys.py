"""Keys of records as text and as 64-bit hashes, and sets of keys to check references against.

The hash is xxh3-64 of the key's text read as a signed number, as PostgreSQL's bigint holds it.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash

from imports.check.characters import compared

# A database index takes at most 2,700 bytes; a longer key becomes its beginning and its SHA-256.
_LONGEST = 2_000
_KEPT = 200  # characters of a long key; stored keys are made with it
SEPARATOR = "\x1f"  # no key holds it: `fields.checks` refuses control characters there


def key_text(parts: Sequence[pl.Expr], fold: bool) -> pl.Expr:
    """The parts of a key joined to one text, as keys are compared (`characters.compared`).

    fold: in lower case. A text of more than 2,000 bytes is shortened to its beginning and its
    digest.
    """
    joined = pl.concat_str([part.cast(pl.String) for part in parts], separator=SEPARATOR)
    return joined.map_batches(
        partial(_stored, fold=fold), return_dtype=pl.String, is_elementwise=True
    )


def _stored(texts: pl.Series, *, fold: bool) -> pl.Series:
    keys = compared(texts, fold=fold)
    at = (keys.str.len_bytes() > _LONGEST).fill_null(False).arg_true()
    if not at.len():
        return keys
    key = pl.col("key")
    shortened = pl.concat_str(key.str.slice(0, _KEPT), pl.lit("…"), _digest(key))
    frame = pl.DataFrame({"key": keys.gather(at)})
    return keys.clone().scatter(at, frame.select(shortened).to_series())


def _digest(text: pl.Expr) -> pl.Expr:
    digest: pl.Expr = polars_hash.CryptographicHashingNameSpace(text).sha2_256()
    return digest


def text_hash(text: pl.Expr) -> pl.Expr:
    """The Int64 hash of a text column; null stays null."""
    hashed: pl.Expr = polars_hash.NonCryptographicHashingNameSpace(text).xxh3_64()
    return hashed.reinterpret(signed=True)


def key_hash(parts: Sequence[pl.Expr], fold: bool) -> pl.Expr:
    """The Int64 hash of `key_text`."""
    return text_hash(key_text(parts, fold))


@dataclass(frozen=True, slots=True)
class ReferenceSet:
    """The keys of one record type that exist, as hashes. hashes: int64, sorted, no repetition."""

    hashes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, keys: Iterable[str], fold: bool) -> ReferenceSet:
        """The set of these keys (each the text of a key of one field)."""
        frame = pl.DataFrame({"key": list(keys)}, schema={"key": pl.String})
        hashes = frame.select(key_hash([pl.col("key")], fold)).to_series()
        return cls(np.unique(hashes.to_numpy().astype(np.int64)))

    def missing(self, hashes: pl.Series) -> npt.NDArray[np.bool_]:
        """True where a hash is not in the set. hashes: Int64; null refers to nothing."""
        given: npt.NDArray[np.bool_] = hashes.is_not_null().to_numpy()
        if self.hashes.size == 0:
            return given
        referred = hashes.fill_null(0).to_numpy()
        at = np.minimum(np.searchsorted(self.hashes, referred), self.hashes.size - 1)
        unknown: npt.NDArray[np.bool_] = self.hashes[at] != referred
        return given & unknown
