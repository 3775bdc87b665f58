"""Promise A32 over the whole way: every row is accounted for, as a plain reading of it would be."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.models import Record
from tests.imports.institution import Institution, rejected
from tests.sizes import scaled

COLUMNS = ["PersonIdentifier", "FirstName", "LastName", "Email"]
EMAILS = {"a@b.org": True, "x.y@b-c.edu": True, "nowhere": False, "a@b": False, "": False}

FORMULA = "=1+1"  # a spreadsheet's, in place of its result

identifiers = st.sampled_from(
    ["1", "01", "a", "A", " a ", "é", "É", 'q"', "x,y", "", "NULL", "Null"]
)
names = st.sampled_from(
    ["Ada", "A, B", 'say "x"', "two\nlines", FORMULA, "Zoë", " pad ", "", "n/a"]
)
rows = st.tuples(identifiers, names, names, st.sampled_from(sorted(EMAILS))).map(list)
ragged = rows.map(lambda row: row[:3]) | rows.map(lambda row: [*row, "more"])
files = st.lists(st.one_of(rows, rows, rows, ragged), max_size=12)


@dataclass
class Oracle:
    """The feed of accounts, row by row in plain Python."""

    stored: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    rejected: list[int] = field(default_factory=list)

    def take(self, text: str) -> None:
        self.counts, self.rejected = Counter(), []
        reader = csv.reader(io.StringIO(text, newline=""))
        next(reader)
        seen: set[str] = set()
        line = reader.line_num + 1
        for row in reader:
            cells = [cell.strip() for cell in row]
            self.counts["read"] += 1
            good = len(cells) == 4 and all(cells) and EMAILS[cells[3]] and FORMULA not in cells
            key = cells[0].lower()
            if not good or key in seen:
                self.counts["rejected"] += 1
                self.rejected.append(line)
            else:
                seen.add(key)
                before = self.stored.get(key)
                what = "created" if before is None else "updated"
                self.counts["unchanged" if before == cells else what] += 1
                self.stored[key] = cells
            line = reader.line_num + 1


def written(content: list[list[str]]) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\n").writerows([COLUMNS, *content])
    return target.getvalue()


@settings(
    max_examples=scaled(5, 15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(files, files)
def test_every_row_is_accounted_for(
    institution: Institution, first: list[list[str]], second: list[list[str]]
) -> None:
    Record.objects.all().delete()
    oracle = Oracle()
    for content in (first, second, second, first):
        oracle.take(written(content))
        job = institution.send("accounts", written(content))
        counts = {name: getattr(job, f"rows_{name}") for name in oracle.counts}
        assert counts == dict(oracle.counts)
        assert job.rows_read == sum(
            count for name, count in oracle.counts.items() if name != "read"
        )
        documents = institution.records("accounts")
        assert {key: [row[name] for name in COLUMNS] for key, row in documents.items()} == (
            oracle.stored
        )
        lines = [int(row["_line"]) for row in rejected(job)] if job.attachment else []
        assert lines == oracle.rejected
        assert job.state == outcome(oracle.counts)


def outcome(counts: Counter[str]) -> str:
    if counts["rejected"]:
        return "failed" if counts["rejected"] == counts["read"] else "incomplete"
    return "complete"
