"""The thresholds are the same in the code, on the settings page and in the documents."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from imports.load import ceilings, doubts
from imports.load.ceilings import DEFAULTS, FLOOR
from imports.mapping.definitions import MEASURES
from imports.web import limits

DOCS = Path(settings.BASE_DIR) / "docs"


def test_the_settings_page_names_the_floor_and_each_default() -> None:
    hint = limits.hint()
    assert f"a percentage always allows {FLOOR}." in hint
    assert f"more than {DEFAULTS['removes']} of the records" in hint
    assert f"one field in more than {DEFAULTS['same_field']} of them" in hint
    assert set(limits.LABELS) == set(MEASURES)


def test_a_reason_says_it_in_the_same_words() -> None:
    assert ceilings.words("10%", 20) == f"10% ({FLOOR} of 20; a percentage always allows {FLOOR})"
    assert ceilings.words("10%", 90) == "10% (9 of 90)"
    assert ceilings.words(7, 90) == "7"


def test_the_operators_document_has_each_limit_with_what_holds_without_it() -> None:
    text = (DOCS / "operators.md").read_text()
    assert f"a percentage always allows {FLOOR} records" in text
    assert f"({doubts.CHANGED_LEAST} at least)" in text
    rows = dict(re.findall(r"^\| (`.+?`) \|.*\| ([^|]+) \|$", text, re.MULTILINE))
    documented = {
        name: last for names, last in rows.items() for name in re.findall(r"`(\w+)`", names)
    }
    for name in MEASURES:
        assert documented[name].strip() == str(DEFAULTS.get(name, "not asked")), name


def test_the_senders_document_has_the_percentages() -> None:
    text = " ".join((DOCS / "senders.md").read_text().split())
    assert f"remove more than {DEFAULTS['removes']} of the records" in text
    assert f"change one field in more than {DEFAULTS['same_field']} of them" in text
    assert f"(A percentage always allows {FLOOR} records.)" in text
