"""The CloudEvent that Kafka carries, read back: the counterpart of the SQL function ``postil.envelope``.

Only the database writes envelopes, so that there is one form of each event, byte for byte;
readers parse it here, and keep the bytes where they must be the same for ever.
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


class RawEvent(NamedTuple):
    """One event as it travels: who it is, and its exact bytes.

    `run` is ``tenant/run_id``, the text of the Kafka key; a tenant never contains a slash.
    """

    run: str
    run_seq: int
    event_id: str
    value: bytes


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


# The envelope's attributes have one order, so a run's number is found without parsing the data behind it;
# each string is matched whole, so nothing inside one can pass for an attribute.
_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_SKIPPED = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_BEGIN = b'{"specversion":"1.0",'
_HEAD = re.compile(
    rb'\{"specversion":"1\.0","id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
    rb',"source":' + _SKIPPED + rb',"type":' + _SKIPPED + rb',"subject":' + _SKIPPED + rb',"time":' + _SKIPPED
    + rb',"recordedtime":' + _SKIPPED + rb',"datacontenttype":' + _SKIPPED
    + rb',"tenant":' + _TEXT + rb',"runid":' + _TEXT + rb',"runseq":([1-9][0-9]{0,17}),'
)  # fmt: skip


def locate(value: bytes) -> tuple[str, int, str] | None:
    """The run, run_seq and event id a value names in its head, read without checking the rest; None if it has none."""
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


def locate_slowly(value: bytes) -> tuple[str, int, str] | None:
    """The same for a value whose attributes another version ordered otherwise; None if it is no event at all."""
    try:
        return identify(value)[:3]
    except InvalidEnvelope:
        return None


def identify(value: bytes, key: bytes | None = None) -> RawEvent:
    """Read who an event is, checking that it is one line and that `key`, where given, agrees.

    Only the head is read. What is behind it is the database's own JSON, which may hold numbers and depths
    that parsers refuse, and a reader that cannot digest it must not make a run stop here.
    Raises `InvalidEnvelope` saying what is wrong with the bytes.
    """
    if not value.startswith(_BEGIN):
        raise InvalidEnvelope("not a CloudEvents 1.0 envelope")
    if b"\n" in value or not value.endswith(b"}"):
        raise InvalidEnvelope("not one whole line")
    found = locate(value) or _from_attributes(value)
    if key is not None and key != found[0].encode():
        raise InvalidEnvelope(f"the key says {key[:250]!r}, the event {found[0]!r}")
    return RawEvent(*found, value)


def _from_attributes(value: bytes) -> tuple[str, int, str]:
    """The same, where a writer of another version orders the attributes otherwise."""
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
        found = _loads(text)
    except json.JSONDecodeError as error:
        raise InvalidEnvelope(f"not JSON: {error.msg} at character {error.pos}") from None
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
