"""A file is hashed by what storage reads of it, and what attempts left in storage goes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.storage import HashedFile, stored_names, tidy_attempts

DATA = bytes(range(256)) * 9000  # more than two blocks


class ReadingStorage(FileSystemStorage):
    """As S3's: it seeks to the beginning, its client reads piece by piece and closes the file."""

    def _save(self, name: str, content: File[bytes]) -> str:
        content.seek(0)
        with (Path(self.location) / name).open("wb") as target:
            while block := content.read(100_000):
                target.write(block)
        content.close()
        return name


def by_chunks(file: HashedFile, tmp_path: Path) -> None:
    FileSystemStorage(tmp_path).save("copy", file)
    assert (tmp_path / "copy").read_bytes() == DATA


def by_read(file: HashedFile, tmp_path: Path) -> None:
    storage = ReadingStorage(tmp_path)
    assert (tmp_path / storage.save("copy", file)).read_bytes() == DATA


def by_one_read(file: HashedFile, tmp_path: Path) -> None:
    assert file.read() == DATA


def by_reading_twice(file: HashedFile, tmp_path: Path) -> None:
    """As a client does that reads a piece for its checksum and then sends it."""
    while file.read(100_000):
        file.seek(-1, io.SEEK_CUR)
        file.read(1)
    file.seek(0)
    assert file.read() == DATA


def by_buffer(file: HashedFile, tmp_path: Path) -> None:
    buffer = bytearray(70_000)
    while file.readinto(buffer):
        pass


WAYS = [by_chunks, by_read, by_one_read, by_reading_twice, by_buffer]


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_hashed_however_storage_reads_it(
    way: Callable[[HashedFile, Path], None], tmp_path: Path
) -> None:
    hashed = HashedFile(io.BytesIO(DATA), with_md5=True)
    way(hashed, tmp_path)
    assert hashed.size_read == len(DATA)
    assert hashed.sha256 == hashlib.sha256(DATA).hexdigest()
    assert hashed.md5 == hashlib.md5(DATA, usedforsecurity=False).hexdigest()


def test_an_upload_is_hashed_too(tmp_path: Path) -> None:
    hashed = HashedFile(SimpleUploadedFile("a.csv", DATA))
    by_chunks(hashed, tmp_path)
    assert hashed.sha256 == hashlib.sha256(DATA).hexdigest()


def test_bytes_that_are_passed_over_are_an_error() -> None:
    hashed = HashedFile(io.BytesIO(DATA))
    hashed.seek(10)
    with pytest.raises(ValueError, match="0 to 10 were passed over"):
        hashed.read(1)


def test_the_source_stays_open() -> None:
    source = io.BytesIO(DATA)
    HashedFile(source).close()
    assert not source.closed


def test_what_earlier_attempts_stored_goes_save_what_is_named() -> None:
    names = [
        default_storage.save(f"tidy/{name}", ContentFile(b"x")) for name in ("1.a", "2", "3.a")
    ]
    tidy_attempts("tidy", 2, kept=lambda: names[1])
    assert sorted(stored_names("tidy")) == ["2", "3.a"]
    tidy_attempts("tidy", 3, kept=lambda: None)
    assert stored_names("tidy") == []
    assert stored_names("no such folder") == []
