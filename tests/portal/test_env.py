"""Reading the environment: typed, and loud where it is malformed."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import env


@pytest.mark.parametrize("value", ["1", "yes", "TRUE", " on "])
def test_it_reads_a_yes(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X_FLAG", value)
    assert env.flag("X_FLAG") is True


@pytest.mark.parametrize("value", ["0", "no", "False", "off"])
def test_it_reads_a_no(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X_FLAG", value)
    assert env.flag("X_FLAG", default=True) is False


@pytest.mark.parametrize("value", ["ja", "2", "yes please"])
def test_it_rejects_what_is_neither(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X_FLAG", value)
    with pytest.raises(ImproperlyConfigured, match=r"X_FLAG is .*expected yes or no"):
        env.flag("X_FLAG")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "")
    assert env.flag("X", default=True) is True
    assert env.number("X", 7) == 7
    assert env.text("X", "default") == "default"
    assert env.words("X", "a, b") == ["a", "b"]
    assert env.choice("X", ("a", "b"), "a") == "a"


def test_an_empty_variable_may_have_a_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "")
    assert env.exact("X", "default") == ""
    monkeypatch.delenv("X")
    assert env.exact("X", "default") == "default"


def test_it_reads_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " 12 ")
    assert env.number("X", 7) == 12


@pytest.mark.parametrize("value", ["1.5", "12s", "many"])
def test_it_rejects_what_is_no_whole_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured, match="expected a whole number"):
        env.number("X", 7)


def test_it_reads_a_list_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "a, b,,c ")
    assert env.words("X") == ["a", "b", "c"]


def test_it_rejects_a_word_that_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "loud")
    with pytest.raises(ImproperlyConfigured, match="X is 'loud': expected json or console"):
        env.choice("X", ("json", "console"), "json")


def test_a_secret_comes_from_its_file_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("X", "from the environment")
    assert env.secret("X") == "from the environment"
    monkeypatch.setenv("X_FILE", str(tmp_path / "secret"))
    assert env.secret("X") == "from a file"


def test_a_secret_file_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("X_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match=r"X_FILE names .*missing: No such file"):
        env.secret("X")


def test_a_secret_file_that_is_not_text_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("X_FILE", str(tmp_path / "binary"))
    with pytest.raises(ImproperlyConfigured, match="not UTF-8"):
        env.secret("X")


def test_a_database_url_is_read_part_by_part() -> None:
    assert env.database("postgres://ada:secret@db.example:5433/causeway") == {
        "NAME": "causeway",
        "USER": "ada",
        "PASSWORD": "secret",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {},
    }


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40ss%3Aw%2Frd%3F%25", "p@ss:w/rd?%"),
        ("pl+us%20sign", "pl+us sign"),
        ("%C3%A9t%C3%A9", "été"),
        ("ha#sh", "ha#sh"),
        ("an@at", "an@at"),
        ("co:lon", "co:lon"),
        ("", ""),
    ],
)
def test_a_password_in_a_database_url_is_decoded(written: str, password: str) -> None:
    parts = env.database(f"postgresql://a%2Fb:{written}@db/causeway")
    assert (parts["USER"], parts["PASSWORD"], parts["HOST"]) == ("a/b", password, "db")


def test_a_socket_is_named_by_the_host_in_the_query() -> None:
    parts = env.database("postgres://causeway@/causeway?host=/run/my%20sockets")
    assert (parts["HOST"], parts["PORT"], parts["OPTIONS"]) == ("/run/my sockets", "", {})
    assert env.database("postgres://u@%2Frun%2Fsockets/n")["HOST"] == "/run/sockets"


def test_libpqs_parameters_become_options() -> None:
    url = "postgres://db/n?sslmode=verify-full&sslrootcert=%2Fca.pem&options=-c%20work_mem%3D8MB"
    assert env.database(url)["OPTIONS"] == {
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "options": "-c work_mem=8MB",
    }


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("[2001:db8::1]:5433", "2001:db8::1", "5433"),
        ("[::1]", "::1", ""),
        ("one:5432,two:5433", "one,two", "5432,5433"),
        ("one,two", "one,two", ""),
        ("", "", ""),
    ],
)
def test_hosts_and_ports_are_read_as_libpq_reads_them(hosts: str, host: str, port: str) -> None:
    parts = env.database(f"postgres://u@{hosts}/n")
    assert (parts["HOST"], parts["PORT"]) == (host, port)


@pytest.mark.parametrize(
    "url", ["mysql://u:hidden@h/n", "hidden", "postgres://u:hid?den@h/n", "postgres://u@h:hidden/n"]
)
def test_a_database_url_that_cannot_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL cannot be read") as refused:
        env.database(url)
    assert "hid" not in str(refused.value)
