"""The pages in Mexican Spanish: by the browser, by choice, and with nothing left out."""

from __future__ import annotations

import ast
import gettext
import re

from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.cast import Cast, as_person

FOLDER = settings.LOCALE_PATHS[0] / "es_MX" / "LC_MESSAGES"
_PLACES = re.compile(r"%\((\w+)\)s")


def messages() -> dict[str, list[str]]:
    """Each message of the catalogue with its translations."""
    found: dict[str, list[str]] = {}
    for block in (FOLDER / "django.po").read_text().split("\n\n")[1:]:
        parts = re.findall(r'^(msg[a-z_]+)[^"]*((?:"(?:[^"\\]|\\.)*"\n?)+)', block, re.MULTILINE)
        texts = [(kind, str(ast.literal_eval(f"({text})"))) for kind, text in parts]
        found[texts[0][1]] = [text for kind, text in texts if kind == "msgstr"]
    return found


def test_every_message_has_a_translation_with_the_same_places() -> None:
    known = messages()
    assert len(known) > 800
    for message, told in known.items():
        assert all(told), message
        assert set(_PLACES.findall(told[-1])) >= set(_PLACES.findall(message)), message


def test_what_is_compiled_is_what_is_written() -> None:
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message, told in messages().items():
        found = compiled.ngettext(message, message, 1) if len(told) > 1 else None
        assert (found or compiled.gettext(message)) == told[0], message


def test_the_browser_says_the_language(cast: Cast) -> None:
    page = Client(headers={"accept-language": "es-MX,es;q=0.9"}).get(reverse("login"))
    assert '<html lang="es-mx"' in page.content.decode()
    assert "Iniciar sesión" in page.content.decode()
    other = Client(headers={"accept-language": "fr"}).get(reverse("login"))
    assert "Log in" in other.content.decode()


def test_a_person_chooses_the_language_in_the_menu(cast: Cast) -> None:
    client = as_person(cast, "viewer")
    assert "Español (México)" in client.get(reverse("jobs")).content.decode()
    sent = {"language": "es-mx", "next": reverse("jobs") + "?sort=file"}
    answer = client.post(reverse("set-language"), sent)
    assert answer.headers["Location"] == sent["next"]
    page = client.get(reverse("jobs")).content.decode()
    assert "English</button>" in page  # each language in its own words
    assert "Aún no ha llegado ningún archivo" in page
    client.post(reverse("set-language"), {"language": "en-us", "next": "https://evil.example/"})
    assert "No file has come yet" in client.get(reverse("jobs")).content.decode()


def test_the_choice_leads_to_no_foreign_address(cast: Cast) -> None:
    client = as_person(cast, "viewer")
    sent = {"language": "es-mx", "next": "https://evil.example/"}
    assert client.post(reverse("set-language"), sent).headers["Location"] == "/"
