"""Which constraint of the database a change has broken."""

from __future__ import annotations

from django.db import IntegrityError
from psycopg import Error


def violated(error: IntegrityError) -> str:
    """The name of the violated constraint, as the database reports it; empty where it names none.

    A column that must not be null has no constraint with a name.
    """
    cause = error.__cause__
    name = cause.diag.constraint_name if isinstance(cause, Error) else None
    return name or ""
