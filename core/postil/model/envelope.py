"""Reads the CloudEvents that Kafka carries: the counterpart of the SQL function ``postil.envelope``.

Only the database writes envelopes, so each event has one form, byte for byte.
`raw_event` reads which event the bytes are; `parse` reads all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from postil.errors import PostilError

CONTENT_TYPE = "application/cloudevents+json"
"""The value of the one header that every message has: ``content-type``."""


class InvalidEnvelope(PostilError):
    """The value of a message is not an event of Postil."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The message is not an event of Postil: {why}.",
            advice="Another program writes to this topic: give Postil a separate topic.",
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run. `time` is when it happened, as the caller stated; `recordedtime` is when its transaction began."""

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


class RawEvent(NamedTuple):
    """The identity of one event, and its exact bytes.

    `run` is ``tenant/run_id``, the text of the Kafka key; a tenant never contains a slash.
    """

    run: str
    run_seq: int
    event_id: str
    value: bytes


def key(tenant: str, run_id: str) -> bytes:
    """Return the Kafka key of a run's events."""
    return f"{tenant}/{run_id}".encode()


def source(tenant: str, run_id: str) -> str:
    """Return the CloudEvents `source` of a run's events: a URI path, percent-encoded."""
    return f"/{quote(tenant, safe='')}/runs/{quote(run_id, safe='')}"


def parse(value: bytes) -> Event:
    """Read all of an envelope. Raises `InvalidEnvelope` with the reason."""
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
        raise InvalidEnvelope("data is not an object")
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


# The attributes have a fixed order, so the head is read without parsing the data that follows it.
# Each string is matched as a whole, so text inside a string cannot be taken for an attribute.
_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_SKIPPED = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_BEGIN = b'{"specversion":"1.0",'
_HEAD = re.compile(
    rb'\{"specversion":"1\.0","id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
    rb',"source":' + _SKIPPED + rb',"type":' + _SKIPPED + rb',"subject":' + _SKIPPED + rb',"time":' + _SKIPPED
    + rb',"recordedtime":' + _SKIPPED + rb',"datacontenttype":' + _SKIPPED
    + rb',"tenant":' + _TEXT + rb',"runid":' + _TEXT + rb',"runseq":([1-9][0-9]{0,17}),'
)  # fmt: skip


def read_head(value: bytes) -> tuple[str, int, str] | None:
    """Read (run, run_seq, event id) from the head of an envelope only. Returns None if the head does not match."""
    head = _HEAD.match(value)
    if head is None:
        return None
    event_id, tenant, run_id, run_seq = head.groups()
    if not tenant or b"/" in tenant or not run_id:
        return None
    run = b"%b/%b" % (tenant, run_id)
    try:
        return json.loads(b'"%b"' % run) if b"\\" in run else run.decode(), int(run_seq), event_id.decode()
    except ValueError:
        return None


def read_head_in_any_order(value: bytes) -> tuple[str, int, str] | None:
    """Read the same as `read_head`, also from attributes in another order. Returns None if the value is not an event."""
    try:
        return raw_event(value)[:3]
    except InvalidEnvelope:
        return None


def raw_event(value: bytes, key: bytes | None = None) -> RawEvent:
    """Read the identity of an event, and check that it is one line and belongs to `key`. `key` defaults to None: not checked.

    Only the head is read. The data that follows it is JSON of the database, which may have numbers and depths
    that parsers refuse; such an event must not block its run.
    Raises `InvalidEnvelope` with the reason.
    """
    if not value.startswith(_BEGIN):
        raise InvalidEnvelope("not a CloudEvents 1.0 envelope")
    if b"\n" in value or not value.endswith(b"}"):
        raise InvalidEnvelope("not one whole line")
    identity = read_head(value) or _from_attributes(value)
    if key is not None and key != identity[0].encode():
        raise InvalidEnvelope(f"the key is {key[:250]!r}, the run of the event {identity[0]!r}")
    return RawEvent(*identity, value)


def _from_attributes(value: bytes) -> tuple[str, int, str]:
    """Read the same as `read_head`, from attributes in any order. Raises `InvalidEnvelope`."""
    fields = _object(value)
    event_id, tenant, run_id, run_seq = (fields.get(name) for name in ("id", "tenant", "runid", "runseq"))
    if not (isinstance(event_id, str) and event_id and isinstance(tenant, str) and isinstance(run_id, str)):
        raise InvalidEnvelope("id, tenant or runid is missing")
    if not tenant or "/" in tenant or not run_id:
        raise InvalidEnvelope("tenant or runid is malformed")
    if not isinstance(run_seq, int) or isinstance(run_seq, bool) or not 1 <= run_seq < 2**63:
        raise InvalidEnvelope("runseq is not a number from 1")
    return f"{tenant}/{run_id}", run_seq, event_id


def _object(value: bytes) -> dict[str, Any]:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEnvelope(f"byte {error.start} is not UTF-8") from None
    try:
        document = _loads(text)
    except json.JSONDecodeError as error:
        raise InvalidEnvelope(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise InvalidEnvelope("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise InvalidEnvelope("it is not a JSON object")
    return cast("dict[str, Any]", document)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # jsonb holds numbers with more digits than int() reads: they become decimals, which are exact too.
        return json.loads(text, parse_int=_long_int)


def _long_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < 4000 else Decimal(digits)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidEnvelope(f"{name} is missing or not a text")
    return value


def _optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    return None if name not in fields else _text(fields, name)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidEnvelope(f"{name} is missing or not a positive number")
    return value


def _time(fields: Mapping[str, Any], name: str) -> datetime:
    try:
        value = datetime.fromisoformat(_text(fields, name))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise InvalidEnvelope(f"{name} is not an RFC 3339 time")
    return value
