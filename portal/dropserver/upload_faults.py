"""Why an upload cannot go on, or gets no name: in words that its sender reads over SFTP."""

from __future__ import annotations

import errno


class Busy(OSError):
    """Another session is writing to that name."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "This file is being uploaded in another session.")


class UploadBroken(OSError):
    """An earlier write failed, so the file is incomplete and does not get its name."""

    def __init__(self, cause: OSError) -> None:
        reason = cause.strerror or str(cause)
        super().__init__(cause.errno or errno.EIO, f"The upload failed ({reason}). Send it again.")


class Incomplete(OSError):
    """Bytes in the middle of the file were never sent; a file system would read them as zeros."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(
            errno.EIO,
            f"The bytes {start:,} to {end:,} of the file were not sent. Resume or send it again.",
        )
