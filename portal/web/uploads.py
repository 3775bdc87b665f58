"""Files that people upload: a file that is too large is read to its end, but not stored."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase


class CappedUpload(FileUploadHandler):
    """A handler that stops an upload of more than MAX_UPLOAD_BYTES; `too_large` then tells.

    The rest of the request is read and dropped, so that the browser shows the answer.
    """

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the chunk on. Raises StopUpload if the upload is too large."""
        self._received += len(raw_data)
        if self._received > settings.MAX_UPLOAD_BYTES:
            if self.request is not None:
                self.request.META[_TOO_LARGE] = True
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:
        """Leave the file to the handlers after this one."""
        return None

    def upload_interrupted(self) -> Any:
        """Do nothing: nothing is stored here."""


_TOO_LARGE = "causeway.upload_too_large"


def too_large(request: HttpRequest) -> bool:
    """Whether a file of the request was dropped because of its size."""
    return bool(request.META.get(_TOO_LARGE))


P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def may_come_by_script(view: View[P]) -> View[P]:
    """Answer a script that sends the file (upload.js) with the next address instead of a redirect.

    The script would follow a redirect in vain, and use up the messages that are shown once.
    """

    @functools.wraps(view)
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if "X-Upload" in request.headers and response.status_code == 302:
            return HttpResponse(status=204, headers={"Location": response["Location"]})
        return response

    return answered
