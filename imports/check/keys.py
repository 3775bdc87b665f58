"""Keys of records as text and as 64-bit hashes, and sets of keys to check references against.

The hash is xxh3-64 of the key's text read as a signed number, as PostgreSQL's bigint holds it.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
    """The keys of one record type that exist, as hashes: int64, sorted, no repetition.

    removed: those of records that are not active any more; they exist too.
    """

    hashes: npt.NDArray[np.int64]
    removed: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, keys: Iterable[str], fold: bool) -> ReferenceSet:
        """The set of these keys (each the text of a key of one field)."""
        frame = pl.DataFrame({"key": list(keys)}, schema={"key": pl.String})
        hashes = frame.select(key_hash([pl.col("key")], fold)).to_series()
        return cls(np.unique(hashes.to_numpy().astype(np.int64)))

    def missing(self, hashes: pl.Series) -> npt.NDArray[np.bool_]:
        """True where a hash is not in the set. hashes: Int64; null refers to nothing."""
        given: npt.NDArray[np.bool_] = hashes.is_not_null().to_numpy()
        missing: npt.NDArray[np.bool_] = given & ~_within(self.hashes, hashes)
        return missing

    def gone(self, hashes: pl.Series) -> npt.NDArray[np.bool_]:
        """True where a hash is of a removed record. hashes: Int64; null refers to nothing."""
        given: npt.NDArray[np.bool_] = hashes.is_not_null().to_numpy()
        gone: npt.NDArray[np.bool_] = given & _within(self.removed, hashes)
        return gone


def _within(keys: npt.NDArray[np.int64], hashes: pl.Series) -> npt.NDArray[np.bool_]:
    """Which of the hashes are among the keys, which are sorted."""
    if not keys.size:
        return np.zeros(hashes.len(), dtype=bool)
    referred = hashes.fill_null(0).to_numpy()
    at = np.minimum(np.searchsorted(keys, referred), keys.size - 1)
    hit: npt.NDArray[np.bool_] = keys[at] == referred
    return hit
