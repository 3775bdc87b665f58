"""The pages in Mexican Spanish: by the browser, by choice, and with nothing left out."""

from __future__ import annotations

import ast
import gettext
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import formats, translation
from django.utils.html import strip_tags

from portal import tenancy
from tests.browser import seed, seed_exports
from tests.cast import Cast, as_person

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "portal" / "locale" / "es_MX" / "LC_MESSAGES"
SPANISH = {"accept-language": "es-MX,es;q=0.9"}
# %(name)s, a literal %, {name} of the scripts, and mark-up.
_PLACES = re.compile(r"%\(\w+\)\w|%%|\{[^{}]*\}|</?\w[^>]*>")
_PARTS = re.compile(r'^(msg[a-z_]+)[^"\n]*((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)
_TITLES = re.compile(r"<(h1|h2|h3|th|dt|legend|label|summary|button)\b[^>]*>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """An entry of a catalogue. told: its translations; plural: empty where it has one form."""

    context: str
    text: str
    plural: str
    translations: tuple[str, ...]
    is_fuzzy: bool

    @property
    def key(self) -> tuple[str, str, str]:
        return self.context, self.text, self.plural

    @property
    def is_translated(self) -> bool:
        return all(self.translations) and not self.is_fuzzy

    @property
    def has_other_places(self) -> bool:
        """Whether a translation lacks a place or has one too many; one thing may be told as one."""
        english = places(self.plural or self.text)
        first = (places(self.text), english)
        return places(self.translations[0]) not in first or places(self.translations[-1]) != english

    def __str__(self) -> str:
        return f"{self.context}: {self.text}" if self.context else self.text


def places(text: str) -> set[str]:
    return set(_PLACES.findall(text))


def messages(catalogue: Path) -> Iterator[Message]:
    """What a .po or .pot file holds, without its header."""
    for block in catalogue.read_text(encoding="utf-8").split("\n\n"):
        parts: dict[str, list[str]] = {}
        for kind, text in _PARTS.findall(block):
            parts.setdefault(kind, []).append(str(ast.literal_eval(f"({text})")))
        if parts.get("msgid", [""]) != [""]:
            yield Message(
                context=parts.get("msgctxt", [""])[0],
                text=parts["msgid"][0],
                plural=parts.get("msgid_plural", [""])[0],
                translations=tuple(parts["msgstr"]),
                is_fuzzy=re.search("^#,.*fuzzy", block, re.MULTILINE) is not None,
            )


def spanish() -> list[Message]:
    return list(messages(FOLDER / "django.po"))


def listed(messages: list[Message]) -> str:
    """The messages on lines, for the person who translates them."""
    return "\n".join(["", *map(str, messages)])


@pytest.fixture
def extracted(
    tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> list[Message]:
    """Every message of the product, taken out of a copy: makemessages writes beside its sources."""
    copy = tmp_path / "copy"
    keep_out = shutil.ignore_patterns("__pycache__", "locale", "static", "migrations")
    for folder in ("portal", "imports", "exports", "templates"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=keep_out)
    (copy / "portal" / "locale").mkdir()
    settings.LOCALE_PATHS = [copy / "portal" / "locale"]
    monkeypatch.chdir(copy)
    call_command("makemessages", all=True, keep_pot=True, verbosity=0, stdout=io.StringIO())
    return list(messages(copy / "portal" / "locale" / "django.pot"))


@pytest.mark.skipif(not shutil.which("xgettext"), reason="xgettext is not installed: gettext")
def test_every_message_of_the_product_has_its_spanish(extracted: list[Message]) -> None:
    assert len(extracted) > 1200
    messages = {message.key for message in spanish() if message.is_translated}
    lacking = [message for message in extracted if message.key not in messages]
    assert not lacking, listed(lacking)


def test_every_translation_is_whole_and_has_the_same_places() -> None:
    messages = spanish()
    assert len(messages) > 1200
    unfinished = [message for message in messages if not message.is_translated]
    assert not unfinished, listed(unfinished)
    wrong = [message for message in messages if message.has_other_places]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize(
    ("text", "plural", "translations"),
    [
        ("%(n)s of %(all)s", "", ["%(n)s de %(todos)s"]),
        ("{percent} %% · {sent}", "", ["{porcentaje} %% · {sent}"]),
        ("%(n)s day", "%(n)s days", ["%(n)s día", "días"]),
        ("at most 25%%", "", ["25 como máximo"]),
    ],
)
def test_a_place_that_was_lost_or_renamed_is_found(
    text: str, plural: str, translations: list[str]
) -> None:
    assert Message("", text, plural, tuple(translations), is_fuzzy=False).has_other_places


def test_one_thing_may_be_told_without_its_number() -> None:
    translations = ("La última noche", "Las últimas %(n)s noches")
    assert not Message(
        "", "The last night", "The last %(n)s nights", translations, False
    ).has_other_places


def test_what_is_compiled_is_what_is_written() -> None:
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    older = [message for message in spanish() if in_use(compiled, message) != message.translations]
    assert not older, listed(older)


def in_use(compiled: gettext.GNUTranslations, message: Message) -> tuple[str, ...]:
    """The translations that the pages show."""
    context, text, plural = message.key
    if plural and context:
        return tuple(compiled.npgettext(context, text, plural, n) for n in (1, 2))
    if plural:
        return tuple(compiled.ngettext(text, plural, n) for n in (1, 2))
    return (compiled.pgettext(context, text) if context else compiled.gettext(text),)


def test_the_browser_says_the_language(cast: Cast) -> None:
    page = Client(headers=SPANISH).get(reverse("login"))
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
    assert re.search(r"English\s*</button>", page)  # each language in its own words
    assert "Aún no ha llegado ningún archivo" in page
    client.post(reverse("set-language"), {"language": "en-us", "next": "https://evil.example/"})
    assert "No files have arrived yet" in client.get(reverse("jobs")).content.decode()


def test_the_choice_leads_to_no_foreign_address(cast: Cast) -> None:
    client = as_person(cast, "viewer")
    sent = {"language": "es-mx", "next": "https://evil.example/"}
    assert client.post(reverse("set-language"), sent).headers["Location"] == "/"


# Page of the exports: the row that it is about, and words that it shows in Spanish.
EXPORT_PAGES = {
    "exports": ("", ["Última ejecución", "Próxima noche", "Iniciada", "Cada noche a las 02:00"]),
    "export": ("export", ["Las últimas 60 noches", "Abandonada", "Nocturna", "Fechas pasadas"]),
    "export-change": ("export", ["Cambiar las columnas", "Arreglo JSON", "el tipo de evento o"]),
    "export-new": ("", ["Nueva exportación", "No enviar nada", "Líneas JSON"]),
    "run": ("run", ["El archivo llegó a todos los destinos.", "Qué abarca", "Entregado"]),
    "deliveries": ("", ["Incidentes abiertos", "Se está enviando", "incidente abierto"]),
    "servers": ("", ["Direcciones de este portal", "Sin fijar"]),
    "server": ("server", ["Probar la conexión", "Huella digital", "Sí, quitarla"]),
    "server-new": ("", ["Nuevo servidor", "Clave privada"]),
}


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed_exports.everything(cast, runs=0)


@pytest.mark.parametrize("name", sorted(EXPORT_PAGES))
def test_an_export_page_is_in_spanish(name: str, cast: Cast, rows: dict[str, Any]) -> None:
    row, words = EXPORT_PAGES[name]
    url = reverse(name, args=[rows[row].uid] if row else [])
    page = as_person(cast, "admin").get(url, headers=SPANISH).content.decode()
    assert [word for word in words if word not in page] == []
    english = {message.text for message in spanish() if message.text not in message.translations}
    titles = {" ".join(strip_tags(inner).split()) for _tag, inner in _TITLES.findall(page)}
    assert len(titles) > 5
    assert titles & english == set()


def test_dates_are_in_the_order_of_the_language(cast: Cast, rows: dict[str, Any]) -> None:
    url = reverse("run", args=[rows["run"].uid])
    page = as_person(cast, "viewer").get(url, headers=SPANISH).content.decode()
    with translation.override("es-mx"):
        assert formats.date_format(rows["run"].local_date, "D j b Y") in page
    assert rows["run"].local_date.strftime("%a, %b") not in page


def test_a_refusal_mixes_no_languages(cast: Cast, rows: dict[str, Any]) -> None:
    """Refusals are in English wherever they come from: their states too."""
    with tenancy.everyone("a test looks"):
        delivery = rows["run"].deliveries.get()
    url = reverse("delivery-act", args=[delivery.uid, "cancel"])
    answer = as_person(cast, "manager").post(url, headers=SPANISH, follow=True)
    assert "The delivery is delivered already." in answer.content.decode()
    failed = seed.everything(cast, jobs=0)["failed"]
    url = reverse("job-undo", args=[failed.uid])
    page = as_person(cast, "manager").get(url, headers=SPANISH).content.decode()
    assert "Esto no se puede deshacer" in page
    assert "this one is &quot;failed&quot;" in page
