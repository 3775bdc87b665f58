"""The forms of the look-up tables' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from imports.mapping.table_files import MOST_BYTES, MOST_ROWS, read_table
from imports.mapping.tables import Table
from portal.faults import Fault, Refused

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_MOST_PASTED = 2_000_000  # characters; Django takes 2.5 MB of form


class ContentForm(forms.Form):
    """A table's content: a file, or pasted text."""

    file = forms.FileField(
        label=_("CSV file"),
        required=False,
        widget=forms.ClearableFileInput(
            attrs={"class": "form-control", "accept": ".csv,.txt,.tsv,text/csv"}
        ),
    )
    pasted = forms.CharField(
        label=_("Or paste it here"),
        required=False,
        strip=False,
        max_length=_MOST_PASTED,
        help_text=_(
            "The first line names the columns. Separate columns with commas, semicolons or "
            "tabs, as copied from a spreadsheet."
        ),
        widget=forms.Textarea(attrs={**_TEXT, "rows": 6, "class": "form-control font-monospace"}),
    )
    key = forms.CharField(
        label=_("Key column"),
        required=False,
        max_length=200,
        help_text=_("The column to look up values in. If blank, the first one."),
        widget=forms.TextInput(attrs=_TEXT),
    )
    fold = forms.BooleanField(
        label=_("Ignore case in keys"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def table(self) -> Table:
        """The table that was sent; the form must be valid. Raises Refused with every fault."""
        sent, text = self.cleaned_data["file"], self.cleaned_data["pasted"]
        if sent is None and not text.strip():
            raise Refused(Fault((), "no_table", str(_("Choose a file, or paste the table."))))
        if sent is not None and text.strip():
            message = str(_("You sent both a file and a pasted table. Send only one of them."))
            raise Refused(Fault((), "two_tables", message))
        data = bytes(sent.read(MOST_BYTES + 1)) if sent is not None else text.encode()
        key, fold = self.cleaned_data["key"].strip(), self.cleaned_data["fold"]
        return read_table(data, key=key, fold=fold)


class NewForm(ContentForm):
    """A new table."""

    name = forms.CharField(
        label=_("Name"),
        max_length=200,
        help_text=_("Templates refer to the table by this name. It cannot be changed later."),
        widget=forms.TextInput(attrs=_TEXT),
    )
    field_order = ("name", "file", "pasted", "key", "fold")


def most_words() -> str:
    """How large a table may be, for people."""
    return _("At most %(rows)s rows and %(mb)s MB.") % {
        "rows": f"{MOST_ROWS:,}",
        "mb": MOST_BYTES >> 20,
    }


def row_of(sent: Any, columns: list[str]) -> tuple[str, ...]:
    """The cells of one row from a page's form: cell-0 is the key."""
    return tuple(sent.get(f"cell-{at}", "").replace("\0", "").strip() for at in range(len(columns)))
