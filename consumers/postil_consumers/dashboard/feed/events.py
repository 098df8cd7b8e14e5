"""Turns a Kafka message into an event of the feed: the envelope as it is, or without its largest fields. Pure."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NotRequired, cast

from postil.http.models import Envelope
from postil.model.envelope import InvalidEnvelope, raw_event

MAX_WHOLE = 16 * 1024
"""Bytes up to which an event is sent whole. A larger one loses its largest fields; `trimmed` names them."""
MAX_FIELD = 2 * 1024
"""Bytes of JSON up to which a field of a larger event is sent."""


class FeedEnvelope(Envelope):
    """An event as the feed sends it. `trimmed` names the fields of `data` that are null because they were too large."""

    trimmed: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event for the page: `run` is ``tenant/run_id``, `payload` is one line of JSON."""

    run: str
    run_seq: int
    payload: bytes


def to_feed_event(value: bytes) -> FeedEvent | None:
    """Return the feed's event of a Kafka message's value; None if the value is not an event of Postil."""
    try:
        event = raw_event(value)
        # `raw_event` reads the head only. The page must get valid JSON, whatever else is written to the topic.
        envelope: dict[str, Any] = json.loads(value)
    except (InvalidEnvelope, ValueError, RecursionError):
        return None
    # A carriage return between tokens would end the server-sent event early.
    is_sent_whole = len(value) <= MAX_WHOLE and b"\r" not in value
    return FeedEvent(event.run, event.run_seq, value if is_sent_whole else _trimmed(envelope))


def _trimmed(envelope: dict[str, Any]) -> bytes:
    data = envelope.get("data")
    fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    trimmed = [name for name, value in fields.items() if len(json.dumps(value)) > MAX_FIELD]
    short = {name: None if name in trimmed else value for name, value in fields.items()}
    return json.dumps({**envelope, "data": short, "trimmed": trimmed}, separators=(",", ":")).encode()


class Deduplicator:
    """Recognises events that the relay sent twice, for the `max_runs` runs with the newest events.

    The feed starts while runs are under way, so the first event of a run may have any run_seq.
    A gap is accepted, too: the page fetches the missing events.
    """

    def __init__(self, max_runs: int = 50_000) -> None:
        self._max_runs = max_runs
        self._last: OrderedDict[str, int] = OrderedDict()

    def seen(self, event: FeedEvent) -> bool:
        """Return whether this event or a later one of its run came before. If not, remember this event."""
        if event.run_seq <= self._last.get(event.run, 0):
            return True
        self._last[event.run] = event.run_seq
        self._last.move_to_end(event.run)
        if len(self._last) > self._max_runs:
            self._last.popitem(last=False)
        return False
