"""The distinct values of a column and how often each occurs, from one pass over the file.

Bounded in values and in time, since a page waits for it; the result says how far it got.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise
from typing import Any

from imports.check.columns import numbered
from imports.drafts import keeping, sampling
from imports.issues import FileRefused
from imports.mapping.opening import read_start
from imports.models import ImportDraft
from imports.scan import cells
from imports.scan.scanner import Chunk, FooterRule, scan

MOST_VALUES = 10_000
SECONDS = 4.0
_LONGEST = 300  # characters of a value


def values_of(draft: ImportDraft, column: str) -> dict[str, Any]:
    """{"values": [[value, count], …] the most frequent first, "rows", "whole", "full", "late"}.

    whole: the file was read to its end; full: it has more than MOST_VALUES values; late: the
    counting was stopped after SECONDS. Kept with the draft until its file or reading changes.
    """
    if column not in draft.counted:
        keeping.note(draft, counted={**draft.counted, column: _counted(draft, column)})
    counted: dict[str, Any] = draft.counted[column]
    return counted


def _counted(draft: ImportDraft, column: str) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    until, rows, whole, late = time.monotonic() + SECONDS, 0, not draft.table, False
    try:
        with sampling.opened(draft) as (file, size):
            dialect, header = read_start(file, size, sampling.reading_of(draft))
            names = [name.strip() for name in numbered(header.cells)]
            if column not in names:
                return {"values": [], "rows": 0, "whole": True, "full": False}
            place = names.index(column)
            for chunk in scan(file, dialect, len(names), footer=FooterRule()):
                rows += _count(chunk, counts, place, dialect.delimiter, dialect.quote)
                late = time.monotonic() > until
                if late or len(counts) > MOST_VALUES:
                    whole = False
                    break
    except (FileRefused, OSError):
        whole = False
    listed = [[value, number] for value, number in counts.most_common(MOST_VALUES)]
    full = len(counts) > MOST_VALUES
    return {"values": listed, "rows": rows, "whole": whole, "full": full, "late": late}


def _count(chunk: Chunk, counts: Counter[str], place: int, delimiter: str, quote: str) -> int:
    """Count a chunk's values; returns its rows."""
    text, offsets = chunk.data, chunk.offsets.tolist()
    sign, mark = delimiter.encode(), quote.encode()
    simple = not mark or mark not in text
    for start, end in pairwise(offsets):
        record = text[start : end - 1]
        if simple:
            value = record.split(sign, place + 1)[place].decode("utf-8", "replace")
        else:
            value = cells.split(record.decode("utf-8", "replace"), delimiter, quote)[place]
        counts[value.strip()[:_LONGEST].replace("\0", "")] += 1
    return len(offsets) - 1
