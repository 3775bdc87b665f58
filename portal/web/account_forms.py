"""The forms of the accounts pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import keys
from portal.changes import fingerprint
from portal.dropserver import usernames
from portal.models import Account, Endpoint, Tenant
from portal.web.acting import seen_field

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}

F = TypeVar("F", bound=forms.Form)


class AccountForm(forms.Form):
    """A new login: its name and its endpoint."""

    username = forms.RegexField(
        label=gettext_lazy("User name"),
        regex=r"\A[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]\Z",
        help_text=gettext_lazy("Unique in this portal: lowercase letters, digits, dot, - and _."),
        error_messages={
            "invalid": gettext_lazy(
                "Use 3 to 64 lowercase letters, digits, dots, hyphens or underscores, beginning "
                "and ending with a letter or digit."
            )
        },
        widget=forms.TextInput(
            attrs={"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    endpoint = forms.ModelChoiceField(
        label=gettext_lazy("Endpoint"),
        queryset=Endpoint.objects.none(),
        empty_label=None,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


class KeyForm(forms.Form):
    """A public key as in authorized_keys, and a name for it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("For example, the machine that uses it."),
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    line = forms.CharField(
        label=gettext_lazy("Public key"),
        max_length=16_000,
        help_text=gettext_lazy("One line that begins with ssh-ed25519, ssh-rsa or ecdsa-sha2-…"),
        widget=forms.Textarea(
            attrs={"class": "form-control font-monospace", "rows": 3, "spellcheck": "false"}
        ),
    )

    def clean_line(self) -> str:
        """The text. Raises ValidationError for a private key, which is not shown again."""
        text = str(self.cleaned_data["line"])
        if keys.is_private(text):
            self.data = {**self.data, "line": ""}
            raise forms.ValidationError(
                _("This is a private key. Never share it: create a new key pair.")
            )
        return text


class AddressesForm(forms.Form):
    """Where an account may log in from, one address or network a line, and what the person saw."""

    addresses = forms.CharField(
        label=gettext_lazy("Addresses and networks, one per line"),
        required=False,
        strip=False,
        max_length=10_000,
        help_text=gettext_lazy(
            "For example 203.0.113.7 or 203.0.113.0/24, IPv4 or IPv6. Blank: from anywhere."
        ),
        widget=forms.Textarea(
            attrs={"class": "form-control font-monospace", "rows": 3, "spellcheck": "false"}
        ),
    )
    seen = seen_field()

    @classmethod
    def of(cls, account: Account) -> AddressesForm:
        """The form with what is stored."""
        networks = account.allowed_networks
        lines = networks if isinstance(networks, list) else [networks]
        return cls(initial={"addresses": "\n".join(map(str, lines)), "seen": fingerprint(networks)})

    def lines(self) -> list[str]:
        """What was filled in; the form must be valid."""
        return str(self.cleaned_data["addresses"]).splitlines()


class TemplateAccountForm(forms.Form):
    """The three parts of a template account's login name, and its endpoint (seed 003)."""

    base = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=usernames.LONGEST,
        help_text=gettext_lazy("Letters, digits and hyphens; no underscores or dots."),
        widget=forms.TextInput(attrs={**_TEXT, "autocapitalize": "none"}),
    )
    district = forms.CharField(
        label=gettext_lazy("District"),
        max_length=usernames.LONGEST,
        help_text=gettext_lazy("Its name, such as Harbor ISD. Spaces and dots are removed."),
        widget=forms.TextInput(attrs=_TEXT),
    )
    state = forms.CharField(
        label=gettext_lazy("State"),
        max_length=20,
        help_text=gettext_lazy("Its two-letter abbreviation, such as TX."),
        widget=forms.TextInput(attrs=_TEXT),
    )
    endpoint = forms.ModelChoiceField(
        label=gettext_lazy("Endpoint"),
        queryset=Endpoint.objects.none(),
        empty_label=None,
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    def clean_base(self) -> str:
        """The user name. Raises ValidationError if no login name can begin with it."""
        base = str(self.cleaned_data["base"])
        return _checked(base, lambda: usernames.sftp_form(base, "x", "tx"))

    def clean_district(self) -> str:
        """The district. Raises ValidationError if it cannot be part of a login name."""
        district = str(self.cleaned_data["district"])
        return _checked(district, lambda: usernames.sftp_form("x", district, "tx"))

    def clean_state(self) -> str:
        """The state. Raises ValidationError if it is not an abbreviation."""
        state = str(self.cleaned_data["state"])
        return _checked(state, lambda: usernames.sftp_form("x", "x", state))

    def clean(self) -> dict[str, Any]:
        """All parts. A name that is too long as a whole is an error of the user name."""
        data = self.cleaned_data
        if {"base", "district", "state"} <= data.keys():
            try:
                usernames.sftp_form(data["base"], data["district"], data["state"])
            except usernames.NameRefused as refused:
                self.add_error("base", str(refused))
        return data


def _checked(part: str, form: Callable[[], str]) -> str:
    try:
        form()
    except usernames.NameRefused as refused:
        raise forms.ValidationError(str(refused)) from None
    return part


def with_endpoints(form: F, tenant: Tenant) -> F:
    """The form with the tenant's endpoints as choices."""
    field = cast("forms.ModelChoiceField[Endpoint]", form.fields["endpoint"])
    field.queryset = Endpoint.objects.filter(tenant=tenant, enabled=True).order_by("id")
    field.initial = field.queryset.first()
    return form
