"""Stored files as downloads."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404


def stored_file(content: str, name: str) -> FileResponse:
    """A stored file as an attachment, which no browser shows in place.

    content: its name in the storage; name: that it is saved under. Raises Http404 where it is not
    kept.
    """
    if not content:
        raise Http404
    try:
        file = default_storage.open(content, "rb")
    except OSError as error:
        raise Http404 from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=name,
        content_type="application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"},
    )
