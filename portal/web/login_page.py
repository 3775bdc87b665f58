"""The login page and the logout."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal import audit, tenancy
from portal.web import address
from portal.web.login import LoginForm
from portal.web.middleware import choose


class PageForm(LoginForm):
    """E-mail and password. No message tells whether the person exists."""

    error_messages = {
        "invalid_login": _(
            "This e-mail and password do not match. Check both; the password is case-sensitive."
        ),
        "inactive": _("This e-mail and password do not match."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail")
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autocomplete": "username", "class": "form-control", "maxlength": 254}
        )
        self.fields["password"].widget.attrs["class"] = "form-control"


class LoginPage(views.LoginView):
    """The login page. A live part without a session redirects its whole page here."""

    template_name = "portal/login.html"
    authentication_form = PageForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "HX-Request" in request.headers and not request.user.is_authenticated:
            here = urlsplit(request.headers.get("HX-Current-URL", ""))
            target = f"{here.path}?{here.query}" if here.query else here.path
            address = f"{reverse('login')}?{urlencode({'next': target})}"
            return HttpResponse(headers={"HX-Redirect": address})
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log the person in, and record it for each institution that they belong to."""
        response = super().form_valid(form)
        user = form.get_user()
        place = address.client(self.request) or None
        with tenancy.everyone("a person may belong to several institutions"):
            tenants = set(user.memberships.values_list("tenant_id", flat=True))
            if not tenants and (membership := choose(self.request)):  # an operator has none
                tenants = {membership.tenant_id}
            for tenant_id in tenants:
                audit.record(tenant_id, "person.login", user=user, address=place)
        return response


login = login_not_required(LoginPage.as_view())
logout = views.LogoutView.as_view()
