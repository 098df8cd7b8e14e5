"""The page of events: the envelope, and every type of event with its fields and an example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pages.event_types import EVENT_TYPES, TIME, EventType
from pages.markdown import fenced, table
from postil.model.envelope import CONTENT_TYPE, source

HEAD = f"""# Events

Each change of a run is one event. The relay publishes it to Kafka as a \
[CloudEvent](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) of version 1.0 in \
JSON: one line, with the attributes in the order of this table. \
The message's key is `tenant/run_id`, and its only header is `content-type: {CONTENT_TYPE}`.
"""

NOTES = """Times are RFC 3339 in UTC, with microseconds. Every field of `data` is always there, in any order; null is a value.

The first example is a whole envelope, printed over several lines. The others show `data`.
"""

TITLES = {
    "annotation": "Annotations",
    "run": "Runs",
    "stage": "Stages",
    "tool_call": "Tool calls",
    "interaction": "Interactions",
}
"""The sections of the page: the noun of a type's name, and the title."""

TENANT, RUN_ID, RUN_SEQ = "default", "run-42", 3

ENVELOPE: tuple[tuple[str, str, Any], ...] = (
    ("specversion", "Version of CloudEvents", "1.0"),
    (
        "id",
        "Id of the event, a UUID; the same in every copy of the event",
        "0195f1a2-7c3f-7b02-8e51-2f6d9c0a1b34",
    ),
    ("source", "The run as a path: tenant and run id, percent-encoded (RFC 3986)", source(TENANT, RUN_ID)),
    ("type", "Type of the event", ""),
    ("subject", "What in the run the event is about", ""),
    ("time", "When it happened, as the caller stated", TIME),
    ("recordedtime", "When the transaction that recorded it began, by the clock of the database", TIME),
    ("datacontenttype", "Form of `data`", "application/json"),
    ("tenant", "Tenant of the run", TENANT),
    ("runid", "Id of the run", RUN_ID),
    ("runseq", "Number of the event within the run: 1, 2, 3 … without a gap", RUN_SEQ),
    ("attempt", "Attempt of the run", 1),
    ("rootrun", "Id of the root run", RUN_ID),
    ("causationid", "What caused the write; absent if the caller did not state it", "order-7-received"),
    (
        "traceparent",
        "W3C Trace Context; absent if not traced",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    ("data", "The fields of the type", {}),
)
"""The attributes of the envelope, each with its meaning and an example."""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    parts.append(table(("attribute", "meaning"), [(f"`{name}`", meaning) for name, meaning, _ in ENVELOPE]))
    parts.append(NOTES)
    parts.append(table(("type", "what happened"), [(_link(event), event.meaning) for event in EVENT_TYPES]))
    for noun, title in TITLES.items():
        parts += _section(title, [event for event in EVENT_TYPES if event.name.startswith(f"{noun}:")])
    return "\n".join(parts)


def _link(event: EventType) -> str:
    return f"[`{event.name}`](#{event.name.replace(':', '')})"


def _section(title: str, types: list[EventType]) -> Iterator[str]:
    first, *_ = types  # the first type of a noun has every field: `run:created` has two more than the others
    yield f"## {title}\n"
    yield f"The subject is `{first.subject}`.\n"
    yield table(
        ("field of `data`", "type", "meaning"),
        [(f"`{field.name}`", field.type, field.meaning) for field in first.fields],
    )
    for event in types:
        yield f"### `{event.name}`\n"
        yield f"{event.meaning}\n"
        example = envelope(event) if event is EVENT_TYPES[0] else data(event)
        yield fenced("json", json.dumps(example, indent=2, ensure_ascii=False))


def data(event: EventType) -> dict[str, Any]:
    """Return the example of an event's data."""
    return {field.name: field.example for field in event.fields} | dict(event.changed)


def envelope(event: EventType) -> dict[str, Any]:
    """Return the example of an event's whole envelope."""
    content = data(event)
    own = {
        "type": event.name,
        "subject": event.subject.replace("<id>", str(content["id"])),
        "data": content,
    }
    return {name: example for name, _, example in ENVELOPE} | own
