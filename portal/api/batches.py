"""The events in the body of one request, each checked, and the faults with their places in it."""

from __future__ import annotations

from typing import Any

from portal.api.pointers import pointer
from portal.api.problems import ApiProblem
from portal.events import recording, rules
from portal.events.rules import EventRefused, Incoming
from portal.faults import Fault, Step

_LONGEST_FIELD = 200  # characters
_TWICE = Fault(("id",), "twice", "This id appears twice in the request. Send each event once.")


class Batch:
    """One event, a list of them, or {"events": […]}. Raises ApiProblem for none, and for too many.

    document: the body, parsed. events: as they were sent, not checked yet.
    """

    def __init__(self, document: Any) -> None:
        self.document = document
        self._is_wrapped = (
            isinstance(document, dict)
            and set(document) == {"events"}
            and isinstance(document["events"], list)
        )
        events = document["events"] if self._is_wrapped else document
        self.events: list[Any] = events if isinstance(events, list) else [events]
        most = recording.MOST_AT_ONCE
        if not self.events:
            raise ApiProblem(422, f"The request has no events, expected 1 to {most:,}.")
        if len(self.events) > most:
            detail = f"The request has {len(self.events):,} events, expected 1 to {most:,}."
            raise ApiProblem(422, f"{detail} Send them in parts.")

    def checked(self) -> tuple[dict[int, Incoming], list[dict[str, Any]]]:
        """The sound events by their index in the request, and the faults of the others."""
        sound: dict[int, Incoming] = {}
        faults: list[dict[str, Any]] = []
        seen: set[str] = set()
        for index, document in enumerate(self.events):
            try:
                event = rules.read(document)
            except EventRefused as refused:
                faults += [self.fault(index, fault) for fault in refused.faults]
                continue
            if event.uid in seen:
                faults.append(self.fault(index, _TWICE))
                continue
            seen.add(event.uid)
            sound[index] = event
        return sound, faults

    def fault(self, index: int, fault: Fault) -> dict[str, Any]:
        """A fault of an event, as RFC 9457 describes parts of a request."""
        event = self.events[index]
        uid = event.get("id") if isinstance(event, dict) else None
        return {
            "index": index,
            "id": _harmless(uid) if isinstance(uid, str) else None,
            "field": _harmless(fault.where),
            "pointer": pointer(self.document, (*self._place(index), *fault.path)),
            "detail": str(fault),
        }

    def _place(self, index: int) -> tuple[Step, ...]:
        if self._is_wrapped:
            return ("events", index)
        return (index,) if isinstance(self.document, list) else ()


def _harmless(text: str) -> str:
    """The text as far as an answer shows it; half a surrogate pair becomes a question mark."""
    return text[:_LONGEST_FIELD].encode("utf-8", "replace").decode()
