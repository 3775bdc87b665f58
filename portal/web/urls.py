"""Addresses of the frame, the records and the accounts."""

from django.urls import path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from portal.web import (
    account_addresses,
    accounts,
    api_tokens,
    events,
    login_page,
    mail,
    pages,
    records,
    trail,
)

urlpatterns = [
    path("", pages.home, name="home"),
    path("login/", login_page.login, name="login"),
    path("logout/", login_page.logout, name="logout"),
    path("tenant/", pages.switch_tenant, name="switch-tenant"),
    path("language/", require_POST(set_language), name="set-language"),
    path("mail/", mail.mail_page, name="mail"),
    path("records/", records.type_list, name="records"),
    path("records/<slug:name>/", records.record_list, name="record-type"),
    path("records/<slug:name>/<int:number>/", records.record_page, name="record"),
    path("accounts/", accounts.account_list, name="accounts"),
    path("accounts/add", accounts.account_add, name="account-add"),
    path("accounts/template", accounts.template_account_add, name="accounts-template"),
    path("accounts/<int:number>/", accounts.account_page, name="account"),
    path("accounts/<int:number>/password", accounts.password_new, name="account-password"),
    path("accounts/<int:number>/enabled", accounts.enabled_set, name="account-enabled"),
    path(
        "accounts/<int:number>/addresses",
        account_addresses.addresses_set,
        name="account-addresses",
    ),
    path("accounts/<int:number>/keys/add", accounts.key_add, name="account-key-add"),
    path(
        "accounts/<int:number>/keys/<int:key>/remove",
        accounts.key_remove,
        name="account-key-remove",
    ),
    path("events/", events.event_list, name="events"),
    path("events/<int:number>/", events.event_page, name="event"),
    path("audit/", trail.trail, name="trail"),
    path("audit.csv", trail.trail_csv, name="trail-csv"),
    path("tokens/", api_tokens.token_list, name="tokens"),
    path("tokens/add", api_tokens.token_add, name="token-add"),
    path("tokens/<int:number>/revoke", api_tokens.token_revoke, name="token-revoke"),
]
