"""What of an event goes to the page: the envelope as it is, or without its bulk where it is large. Pure."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NotRequired, cast

from postil.http.models import Envelope

WHOLE = 16 * 1024
"""Bytes up to which an event is passed on whole; a larger one loses its largest fields, and says so."""
SHORT = 2 * 1024
"""Bytes of JSON a single field of a larger event may keep."""


class FeedEnvelope(Envelope):
    """An event as the feed sends it; `trimmed` names the fields of `data` left out, and sent as null, for their size."""

    trimmed: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event for the page, as a line of JSON, and whose it is."""

    tenant: str
    run_id: str
    run_seq: int
    payload: bytes


def frame(value: bytes) -> Frame | None:
    """The frame of a Kafka message's value; None for what is no event of ours."""
    try:
        event: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    envelope = cast("dict[str, Any]", event)
    tenant, run_id, run_seq = envelope.get("tenant"), envelope.get("runid"), envelope.get("runseq")
    if not isinstance(tenant, str) or not isinstance(run_id, str) or not isinstance(run_seq, int):
        return None
    one_line = b"\n" not in value and b"\r" not in value  # a line break would end the event early
    payload = value if one_line and len(value) <= WHOLE else _shortened(envelope)
    return Frame(tenant, run_id, run_seq, payload)


def _shortened(envelope: dict[str, Any]) -> bytes:
    data = envelope.get("data")
    trimmed: list[str] = []
    kept: dict[str, Any] = {}
    if isinstance(data, dict):
        for name, value in cast("dict[str, Any]", data).items():
            if len(json.dumps(value)) > SHORT:
                trimmed.append(name)
            kept[name] = None if name in trimmed else value
    return json.dumps({**envelope, "data": kept, "trimmed": trimmed}, separators=(",", ":")).encode()


class Repeats:
    """Recognises events a relay sent twice, for the runs most recently heard of.

    The feed begins in the middle of every run, so the first number seen of a run is taken as it comes;
    a gap is passed on, and the page fetches what it lacks.
    """

    def __init__(self, most_runs: int = 50_000) -> None:
        self._most_runs = most_runs
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def is_one(self, seen: Frame) -> bool:
        """Whether this event, or a later one of its run, was here before; if not, it is noted."""
        key = (seen.tenant, seen.run_id)
        if seen.run_seq <= self._last.get(key, 0):
            return True
        self._last[key] = seen.run_seq
        self._last.move_to_end(key)
        if len(self._last) > self._most_runs:
            self._last.popitem(last=False)
        return False
