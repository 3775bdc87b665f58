"""Files that people upload: one that is too large is read to its end, but kept nowhere."""

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
    """Stops an upload of more than MAX_UPLOAD_BYTES, and says so to `too_large`.

    The rest of the request is read and dropped, so that the browser sees the answer.
    """

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the piece on. Raises StopUpload where the sum is too much."""
        self._received += len(raw_data)
        if self._received > settings.MAX_UPLOAD_BYTES:
            if self.request is not None:
                self.request.META[_TOO_LARGE] = True
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:
        """Left to the handlers after this one."""
        return None

    def upload_interrupted(self) -> Any:
        """Nothing is held here."""


_TOO_LARGE = "causeway.upload_too_large"


def too_large(request: HttpRequest) -> bool:
    """Whether the request brought a file that was dropped for its size."""
    return bool(request.META.get(_TOO_LARGE))


P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def may_come_by_script(view: View[P]) -> View[P]:
    """Tell a script that sends the file (upload.js) the next address instead of sending it there.

    It would fetch that page in vain, and with it the words that the page shows once.
    """

    @functools.wraps(view)
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if "X-Upload" in request.headers and response.status_code == 302:
            return HttpResponse(status=204, headers={"Location": response["Location"]})
        return response

    return answered
