"""Logs: one line an event, secrets hidden, foreign text harmless."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings

from portal import logs


@pytest.fixture(params=["json", "console"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is written in one of the two formats."""
    out = io.StringIO()
    config = logs.config(request.param, "INFO")
    config["handlers"]["stderr"]["stream"] = out
    logging.config.dictConfig(config)
    yield out
    logging.config.dictConfig(logs.config(settings.LOG_FORMAT, settings.LOG_LEVEL))


def test_an_event_is_one_json_object() -> None:
    out = io.StringIO()
    config = logs.config("json", "INFO")
    config["handlers"]["stderr"]["stream"] = out
    logging.config.dictConfig(config)
    logs.get("portal.test").info("job_done", job=7, name="é")
    logging.config.dictConfig(logs.config(settings.LOG_FORMAT, settings.LOG_LEVEL))
    (line,) = out.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["job"], event["name"]) == ("job_done", 7, "é")
    assert event["level"] == "info"


@pytest.mark.parametrize(
    "secret",
    [
        {"password": "hunter2"},
        {"Authorization": "hunter2"},
        {"api_token": b"hunter2"},
        {"headers": {"Cookie": "hunter2"}},
        {"lines": [{"private_key": "hunter2"}]},
        {"secrets": ["hunter2"]},
    ],
)
def test_a_secret_is_hidden_wherever_it_is(stream: io.StringIO, secret: dict[str, object]) -> None:
    logs.get("portal.test").info("x", **secret)
    assert "hunter2" not in stream.getvalue()
    assert "[hidden]" in stream.getvalue()


@pytest.mark.parametrize("nasty", ["a\r\nforged", "a\nforged", "a\x1b[31mforged", "a\u2028forged"])
def test_foreign_text_neither_breaks_the_line_nor_colours_it(
    stream: io.StringIO, nasty: str
) -> None:
    logs.get("portal.test").info("seen", name=nasty, names=[nasty], odd={nasty: nasty})
    logging.getLogger("django.request").warning("Not Found: %s", nasty)
    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert "\x1b" not in written
    assert written.count("forged") == 5


def test_foreign_text_is_cut(stream: io.StringIO) -> None:
    logs.get("portal.test").info("seen", name="x" * 100_000)
    logging.getLogger("other").warning("y" * 100_000)
    assert len(stream.getvalue()) < 3000


def test_an_exception_keeps_its_traceback(stream: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        logs.get("portal.test").exception("failed")
    assert "Traceback" in stream.getvalue()
    assert "boom" in stream.getvalue()
