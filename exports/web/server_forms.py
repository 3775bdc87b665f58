"""The forms of the servers: their login, and a server with a folder as one URL."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports import addresses
from exports.models import Server
from exports.servers import Access
from portal.faults import Refused
from portal.web import form_faults

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_CHECK = {"class": "form-check-input"}
_KEY_BYTES = 20_000


class UrlForm(forms.Form):
    """A server and a folder as one URL; nothing is stripped, so that stray blanks are reported."""

    url = forms.CharField(
        label=gettext_lazy("SFTP address"),
        strip=False,
        max_length=4000,
        help_text=gettext_lazy(
            "As your partner sent it: sftp://user:password@host:22/path. Special characters "
            "in the user name and password are percent-encoded, such as %40 for @."
        ),
        widget=forms.TextInput(attrs={**_TEXT, "placeholder": "sftp://user:password@host:22/path"}),
    )

    def clean(self) -> dict[str, Any]:
        """Read the address as well; what is wrong with it is shown beside its field."""
        data = self.cleaned_data
        if "url" in data:
            try:
                data["address"] = addresses.parse(data["url"])
            except Refused as refused:
                form_faults.add(self, refused)
        return data


class ServerForm(forms.Form):
    """Name, host, port and login. Stored secrets are never shown."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        help_text=gettext_lazy("What your team calls it."),
        widget=forms.TextInput(attrs={**_TEXT, "spellcheck": "true"}),
    )
    host = forms.CharField(
        label=gettext_lazy("Host"),
        max_length=253,
        help_text=gettext_lazy("For example, sftp.partner.example."),
        widget=forms.TextInput(attrs={**_TEXT, "autocapitalize": "none"}),
    )
    port = forms.IntegerField(
        label=gettext_lazy("Port"),
        min_value=1,
        max_value=65_535,
        initial=addresses.PORT,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=200,
        widget=forms.TextInput(attrs={**_TEXT, "autocapitalize": "none"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"class": "form-control", "autocomplete": "new-password"}),
    )
    no_password = forms.BooleanField(
        label=gettext_lazy("Remove the password"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
    )
    private_key = forms.CharField(
        label=gettext_lazy("Private key"),
        required=False,
        max_length=_KEY_BYTES,
        widget=forms.Textarea(attrs={**_TEXT, "class": "form-control font-monospace", "rows": 3}),
    )
    no_private_key = forms.BooleanField(
        label=gettext_lazy("Remove the private key"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
    )

    def __init__(self, server: Server | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_password = bool(server and server.password)
        self.has_private_key = bool(server and server.private_key)
        self.fields["password"].help_text = (
            _("A password is set. Leave this blank to keep it.") if self.has_password else ""
        )
        self.fields["private_key"].help_text = (
            _("A private key is set. Leave this blank to keep it.")
            if self.has_private_key
            else _(
                "Instead of a password or in addition to it: an OpenSSH or PEM key without a "
                "passphrase."
            )
        )

    @classmethod
    def of(cls, server: Server) -> ServerForm:
        """The form of a stored server."""
        names = ("name", "host", "port", "username")
        return cls(server, initial={name: getattr(server, name) for name in names})

    def clean_host(self) -> str:
        """The host as it is used. Raises ValidationError for what is no host, such as a URL."""
        host = str(self.cleaned_data["host"])
        if "://" in host or "@" in host or "/" in host:
            raise forms.ValidationError(
                _(
                    "Only the host, such as sftp.partner.example. For a full address, use “Paste"
                    " an SFTP address” on the list of exports."
                )
            )
        try:
            return addresses.check_host(host)
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from None

    def clean_password(self) -> str:
        """The password. Raises ValidationError for a blank at its beginning or end."""
        password = str(self.cleaned_data["password"])
        if password != password.strip():
            raise forms.ValidationError(
                _(
                    "The password begins or ends with a space. Remove it, or ask the partner for a "
                    "password without one."
                )
            )
        return password

    def clean(self) -> dict[str, Any]:
        """Check that the login has a password or a key."""
        data = self.cleaned_data
        password = data.get("password") or (self.has_password and not data.get("no_password"))
        key = data.get("private_key") or (self.has_private_key and not data.get("no_private_key"))
        if not (password or key or {"password", "private_key"} & self.errors.keys()):
            self.add_error("password", _("Enter a password or a private key to log in with."))
        return data

    def access(self) -> Access:
        """What was filled in; the form must be valid."""
        data = self.cleaned_data
        return Access(
            name=data["name"],
            host=data["host"],
            port=data["port"],
            username=data["username"],
            password=data["password"] or ("" if data["no_password"] else None),
            private_key=data["private_key"] or ("" if data["no_private_key"] else None),
        )
