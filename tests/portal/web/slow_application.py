"""What `test_bodies` lets gunicorn serve: the body's length, under deadlines."""

from __future__ import annotations

import os
from typing import Any

from portal.web import bodies

bodies.SMALL_SECONDS = float(os.environ["SMALL_SECONDS"])
bodies.SILENT_SECONDS = float(os.environ["SILENT_SECONDS"])


def _count(environ: dict[str, Any], start: Any) -> list[bytes]:
    try:
        data = b"".join(iter(lambda: environ["wsgi.input"].read(65_536), b""))
    except TimeoutError:
        start("408 Request Timeout", [("Content-Length", "0")])
        return []
    text = str(len(data)).encode()
    start("200 OK", [("Content-Length", str(len(text)))])
    return [text]


application = bodies.Deadlines(_count)
