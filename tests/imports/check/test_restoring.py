"""A corrected error attachment means what its rows meant: the guard against formulas comes off."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imports.check.fields import MISSING, clean
from portal.people_csv import neutralise, restore
from tests.sizes import examples

PIECES = st.text(alphabet="'=+-@\t5.,e＝ab", max_size=6)  # noqa: RUF001  a full-width sign


@given(PIECES)
@example("'=x")
@example("'-5")
@example("-5")
@example("＝1")  # noqa: RUF001
@settings(max_examples=examples(300), deadline=None)
def test_a_neutralised_cell_is_read_as_the_cell_it_was(value: str) -> None:
    frame = pl.DataFrame({"cell": [neutralise(value)]})
    read = frame.select(clean(pl.col("cell"), neutralised=True))["cell"][0]
    expected = value.strip()
    assert read == (None if expected in MISSING or not expected else expected)
    assert restore(neutralise(value)) == value
