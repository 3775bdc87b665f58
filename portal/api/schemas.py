"""The OpenAPI schemas of requests and answers, with the known event types from their table."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse

from portal.api.problems import CONTENT_TYPE
from portal.events import payloads, recording, rules
from portal.events.types import known_types

_KINDS = {"text": "string", "choice": "string", "number": "number"}


def _object(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, **more}


def _types() -> str:
    """The known types and their members, in words."""
    lines = ["Any name. The portal checks the payload of these:"]
    for event_type in known_types().values():
        members = ", ".join(
            f"{member.name} ({' | '.join(member.values) or _KINDS[member.kind]})"
            for member in event_type.members
        )
        lines.append(f"- `{event_type.name}`: {members}")
    return "\n".join(lines)


_ID = {
    "type": "string",
    "maxLength": rules.LONGEST_ID,
    "description": "Your own, stable identifier.",
}
_TYPE = {"type": "string", "maxLength": rules.LONGEST_TYPE, "description": _types()}
_TIME = {"type": "string", "format": "date-time", "description": "A time with its offset."}
_SUBJECT = {
    "type": "string",
    "maxLength": rules.LONGEST_SUBJECT,
    "description": "Whom or what it happened to; `user` if it is missing.",
}
_PAYLOAD = {
    "type": "object",
    "additionalProperties": True,
    "description": f"At most {payloads.LARGEST_PAYLOAD:,} bytes and {payloads.DEEPEST} levels. "
    "Without it, all members except these are the payload; then `event`, if "
    "present, names the type.",
}
_EVENT = _object(
    {"id": _ID, "type": _TYPE, "timestamp": _TIME, "subject": _SUBJECT, "payload": _PAYLOAD},
    *("id", "timestamp"),
    additionalProperties=True,
)
_MANY = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": recording.MOST_AT_ONCE}
INCOMING = {
    "application/json": {"oneOf": [_EVENT, _MANY, _object({"events": _MANY}, "events")]},
}
_COUNT = {"type": "integer"}
RECORDED = _object(
    {"accepted": _COUNT, "duplicates": _COUNT, "conflicts": _COUNT},
    *("accepted", "duplicates", "conflicts"),
)
_STORED = _object(
    {
        "id": _ID,
        "type": _TYPE,
        "timestamp": _TIME,
        "subject": _SUBJECT,
        "source": {"type": "string", "enum": ["api", "file", "portal"]},
        "receivedAt": {"type": "string", "format": "date-time"},
        "payload": _PAYLOAD,
    }
)
PAGE = _object(
    {
        "pageInfo": _object(
            {
                "perPage": _COUNT,
                "cursor": {"type": "string", "nullable": True},
                "total": {
                    "type": "integer",
                    "nullable": True,
                    "description": "Total of all pages; null if there are more than 10,000.",
                },
                "hasMore": {"type": "boolean"},
            }
        ),
        "events": {"type": "array", "items": _STORED},
    }
)
_PROBLEM = _object(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": _COUNT,
        "detail": {"type": "string"},
        "accepted": _COUNT,
        "duplicates": _COUNT,
        "conflicts": _COUNT,
        "refused": _COUNT,
        "faults": {
            "type": "array",
            "items": _object(
                {
                    "index": _COUNT,
                    "id": {"type": "string", "nullable": True},
                    "field": {
                        "type": "string",
                        "description": "The member, with dots between levels; empty for the whole.",
                    },
                    "pointer": {
                        "type": "string",
                        "description": "A JSON pointer (RFC 6901, as a URI fragment) into the "
                        "request; where a member is missing, to what lacks it.",
                    },
                    "detail": {"type": "string"},
                }
            ),
        },
        "faultsLeftOut": _COUNT,
    },
    *("type", "title", "status", "detail"),
)


def problems(*codes: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The problem document as the answer of each of these codes."""
    return {(code, CONTENT_TYPE): OpenApiResponse(_PROBLEM) for code in codes}
