"""POST and GET /api/v1/events/: events are stored by their ids, and read in slices."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal import slices
from portal.api import schemas
from portal.api.batches import Batch
from portal.api.problems import ApiProblem
from portal.api.reading import body
from portal.api.scoping import TenantView
from portal.events import recording, search
from portal.events.search import EventFilter
from portal.faults import Fault
from portal.models import ApiToken, Event

_MOST_FAULTS = 100
_PER_PAGE, _MOST_PER_PAGE = 100, 1_000
_CONFLICT = Fault(
    ("id",),
    "conflict",
    "An event with this id is already stored with different content. The stored "
    "event is kept. If this is a new event, give it its own id.",
)


class Events(TenantView):
    """Events of the token's tenant."""

    scopes = {"POST": ApiToken.Scope.EVENTS_WRITE, "GET": ApiToken.Scope.EVENTS_READ}

    @extend_schema(
        operation_id="sendEvents",
        summary="Send events",
        request=schemas.INCOMING,
        responses={200: schemas.RECORDED, **schemas.problems(400, 401, 403, 411, 413, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        """Send one event, or 1 to 10,000 as a list or as {"events": […]}.

        The same id twice is stored once. Sound events are stored even where others of the request
        are refused: then the answer is 422, with the counts and what is wrong with each of the
        others. Sending the whole request again does no harm.
        """
        batch = Batch(body(request))
        sound, faults = batch.checked()
        token = _token(request)
        recorded = recording.record_many(token.tenant_id, list(sound.values()), Event.Source.API)
        for index, event in sound.items():
            if event.uid in recorded.conflicts:
                faults.append(batch.fault(index, _CONFLICT))
        counts = {
            "accepted": recorded.accepted,
            "duplicates": recorded.duplicates,
            "conflicts": len(recorded.conflicts),
        }
        if not faults:
            return Response(counts)
        raise _refusal(len(batch.events), counts, faults)

    @extend_schema(
        operation_id="readEvents",
        summary="Read events",
        parameters=[
            OpenApiParameter("type", str, description="Only events of this type."),
            OpenApiParameter(
                "subject", str, description="Only events whose subject begins with this text."
            ),
            OpenApiParameter("start", datetime, description="First moment, included."),
            OpenApiParameter("end", datetime, description="Last moment, not included."),
            OpenApiParameter("perPage", int, description="1 to 1,000; the default is 100."),
            OpenApiParameter("cursor", str, description="pageInfo.cursor of the previous page."),
        ],
        responses={200: schemas.PAGE, **schemas.problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Read events in the order of their time, page by page, as long as `hasMore` says so."""
        _refuse_unknown(request)
        per_page = _number(request, "perPage", _PER_PAGE, _MOST_PER_PAGE)
        rows = search.events(_token(request).tenant_id, _filter(request))
        try:
            part = slices.oldest_first(rows, request.GET.get("cursor", ""), per_page)
        except slices.BadCursor:
            detail = '"cursor" is not valid. Use the one in pageInfo of the previous page.'
            raise ApiProblem(400, detail) from None
        page = {
            "perPage": per_page,
            "cursor": part.after or None,
            "total": search.total(rows),
            "hasMore": bool(part.after),
        }
        return Response({"pageInfo": page, "events": [_shown(event) for event in part.rows]})


def _token(request: Request) -> ApiToken:
    token = request.auth
    if not isinstance(token, ApiToken):
        raise AssertionError("A view without a token was called.")
    return token


def _refusal(number: int, counts: dict[str, int], faults: list[dict[str, Any]]) -> ApiProblem:
    """The 422 answer if some events of a request were refused."""
    faults.sort(key=lambda fault: int(fault["index"]))
    refused = len({fault["index"] for fault in faults})
    stored = counts["accepted"] + counts["duplicates"]
    return ApiProblem(
        422,
        f"{refused:,} of {number:,} events were refused, {stored:,} are stored. Correct those that"
        " `faults` names and send them again.",
        **counts,
        refused=refused,
        faults=faults[:_MOST_FAULTS],
        faultsLeftOut=max(0, len(faults) - _MOST_FAULTS),
    )


def _refuse_unknown(request: Request) -> None:
    allowed = {"type", "subject", "start", "end", "perPage", "cursor"}
    for name in request.GET:
        if name not in allowed:
            words = ", ".join(sorted(allowed))
            raise ApiProblem(400, f'The parameter "{name[:100]}" is unknown. Use: {words}.')


def _filter(request: Request) -> EventFilter:
    texts = {name: request.GET.get(name, "") for name in ("type", "subject")}
    for name, value in texts.items():
        if "\0" in value:
            raise ApiProblem(400, f'"{name}" contains a NUL character.')
    return EventFilter(**texts, start=_moment(request, "start"), end=_moment(request, "end"))


def _moment(request: Request, name: str) -> datetime | None:
    value = request.GET.get(name, "")
    if not value:
        return None
    try:
        moment = parse_datetime(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1900 <= moment.year < 2200:
        raise ApiProblem(
            400,
            f'"{name}" is "{value[:100]}". Expected a time with its offset, such as'
            " 2026-05-18T00:00:00Z (write + as %2B).",
        )
    return moment


def _number(request: Request, name: str, default: int, most: int) -> int:
    value = request.GET.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= most):
        raise ApiProblem(400, f'"{name}" is "{value[:100]}". Expected a number from 1 to {most:,}.')
    return int(value)


def _shown(event: Event) -> dict[str, Any]:
    payload = event.payload
    return {
        "id": event.uid,
        "type": event.type,
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "source": event.source,
        "receivedAt": event.received_at.isoformat().replace("+00:00", "Z"),
        "payload": payload if isinstance(payload, dict) else json.loads(payload),
    }
