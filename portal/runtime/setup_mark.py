"""Whether schema and static files are those of this version, so that a start can skip the setup."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from portal.runtime.program import ROOT

SOURCES = ("portal", "imports", "exports", "templates")


def source_files() -> Iterator[Path]:
    """Every file that may change what `manage.py setup` does."""
    yield ROOT / "requirements.txt"
    for name in SOURCES:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path


def version_mark() -> str:
    """A digest of the installed version: names, sizes and times of its files."""
    digest = hashlib.sha256(sys.version.encode())
    for path in source_files():
        status = path.stat()
        digest.update(f"{path}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def schema_mark(url: str) -> str:
    """The migrations as the database has them, so that a restored database is noticed."""
    query = "SELECT count(*)::text || '-' || coalesce(max(id), 0)::text FROM django_migrations"
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.Error:
        return ""
    return str(row[0]) if row else ""


class SetupMark:
    """The mark of the last finished setup in a data directory."""

    def __init__(self, data_dir: Path, database_url: str) -> None:
        self.path, self.url = data_dir / "setup.done", database_url
        # Taken before the setup: a file changed while it runs is set up at the next start.
        self.version = version_mark()

    def is_current(self) -> bool:
        """Whether nothing has changed since. False also if that is unknown."""
        schema = schema_mark(self.url)
        try:
            return bool(schema) and self.path.read_text() == f"{self.version} {schema}"
        except OSError:
            return False

    def save(self) -> None:
        """Mark the setup as finished."""
        self.path.write_text(f"{self.version} {schema_mark(self.url)}")
