"""Structured logs: one JSON object a line, with request and job ids, and harmless foreign text."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "private")
_LONGEST = 256
_LONGEST_EVENT = 2000
# Set by logging itself, not by the caller; an exception may have many lines.
_OURS = {
    "event",
    "exc_info",
    "exception",
    "stack_info",
    "_record",
    "_from_structlog",
    "positional_args",
}


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values with a secret's name; cut foreign text, so that lines stay short and whole."""
    for name, value in event.items():
        if name not in _OURS:
            event[name] = _harmless(name, value)
    event["event"] = _one_line(str(event.get("event", "")))[:_LONGEST_EVENT]
    return event


def _harmless(name: str, value: Any) -> Any:
    if isinstance(value, (str, bytes)) and any(word in name.lower() for word in _SECRET_WORDS):
        return "[hidden]"
    if isinstance(value, Mapping):
        return {_one_line(str(key)): _harmless(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_harmless(name, inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = _one_line(str(value))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _one_line(text: str) -> str:
    """The text with its control characters escaped: nobody can forge a line or a colour."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    redact,
]


def config(log_format: str, level: str) -> dict[str, Any]:
    """The LOGGING dictionary. log_format: "json" for machines, "console" for people."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "asyncssh": {"level": "WARNING"},
            # It logs a traceback for each server that is away; the attempt's row has the reason.
            "paramiko": {"level": "CRITICAL"},
        },
    }


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def bind(**ids: object) -> None:
    """Put ids (job_id, tenant_id, …) on every later line of this thread's work."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**ids)


logging.captureWarnings(True)
