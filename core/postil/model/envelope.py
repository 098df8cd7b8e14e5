"""The CloudEvent that Kafka carries, read back: the counterpart of the SQL function ``postil.model.envelope``.

Only the database writes envelopes, so that there is one form of each event, byte for byte;
readers parse it here, and keep the bytes where they must be the same for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote

from postil.errors import PostilError

CONTENT_TYPE = "application/cloudevents+json"
"""The one header every message has: ``content-type``."""


class InvalidEnvelope(PostilError):
    """A message's value is not an event of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The message is no event of Postil: {why}.",
            advice="Something else writes to this topic: give Postil a topic of its own.",
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run; `time` is when the caller said it happened, `recordedtime` when its transaction began."""

    id: str
    type: str
    subject: str
    time: datetime
    recordedtime: datetime
    tenant: str
    run_id: str
    run_seq: int
    attempt: int
    root_run: str
    causation_id: str | None
    traceparent: str | None
    data: Mapping[str, Any]


def key(tenant: str, run_id: str) -> bytes:
    """The Kafka key of a run's events."""
    return f"{tenant}/{run_id}".encode()


def source(tenant: str, run_id: str) -> str:
    """The CloudEvents `source` of a run's events: a URI path, percent-encoded."""
    return f"/{quote(tenant, safe='')}/runs/{quote(run_id, safe='')}"


def parse(value: bytes) -> Event:
    """Read one message's value. Raises `InvalidEnvelope`, saying what is wrong with it."""
    fields = _object(value)
    if fields.get("specversion") != "1.0":
        raise InvalidEnvelope(f"specversion is {fields.get('specversion')!r}, not '1.0'")
    tenant, run_id = _text(fields, "tenant"), _text(fields, "runid")
    if fields.get("source") != source(tenant, run_id):
        raise InvalidEnvelope(
            f"source {fields.get('source')!r} is not that of tenant {tenant!r}, run {run_id!r}"
        )
    data = fields.get("data")
    if not isinstance(data, dict):
        raise InvalidEnvelope("data is no object")
    return Event(
        id=_text(fields, "id"),
        type=_text(fields, "type"),
        subject=_text(fields, "subject"),
        time=_time(fields, "time"),
        recordedtime=_time(fields, "recordedtime"),
        tenant=tenant,
        run_id=run_id,
        run_seq=_count(fields, "runseq"),
        attempt=_count(fields, "attempt"),
        root_run=_text(fields, "rootrun"),
        causation_id=_optional_text(fields, "causationid"),
        traceparent=_optional_text(fields, "traceparent"),
        data=cast("dict[str, Any]", data),
    )


def _object(value: bytes) -> dict[str, Any]:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEnvelope(f"byte {error.start} is not UTF-8") from None
    try:
        found = _loads(text)
    except json.JSONDecodeError as error:
        raise InvalidEnvelope(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise InvalidEnvelope("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise InvalidEnvelope("it is no JSON object")
    return cast("dict[str, Any]", found)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # jsonb holds numbers longer than Python's int() agrees to read: those become decimals, exact as well.
        return json.loads(text, parse_int=_long_int)


def _long_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < 4000 else Decimal(digits)


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str) or not found:
        raise InvalidEnvelope(f"{name} is missing or no text")
    return found


def _optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    return None if name not in fields else _text(fields, name)


def _count(fields: Mapping[str, Any], name: str) -> int:
    found = fields.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InvalidEnvelope(f"{name} is missing or no positive number")
    return found


def _time(fields: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(_text(fields, name))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidEnvelope(f"{name} is no RFC 3339 time")
    return found
