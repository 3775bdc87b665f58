"""What every page's frame needs to know."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """The tenant in scope and the rights in it."""
    membership = getattr(request, "membership", None)
    return {"tenant": getattr(request, "tenant", None), "membership": membership}
