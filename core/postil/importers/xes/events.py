"""Reads one event of a case: its activity, its actor, its time, and its remaining attributes as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from postil.importers.errors import BadValue
from postil.importers.histories import Actor, Json
from postil.importers.xes.context import (
    NAME,
    RESOURCE,
    STARTED,
    TIME,
    TRANSITION,
    BadEvent,
    LogContext,
    first_by_key,
    text_of,
)
from postil.importers.xes.elements import Attribute, Event
from postil.importers.xes.values import as_object, instant
from postil.model.identifiers import within

# Transitions that the state of the stage shows. Other transitions stay among the event's attributes.
_SHOWN_BY_STATE = frozenset({"start", "complete"})


@dataclass(frozen=True, slots=True)
class EventDescription:
    """One event. `values` excludes what the stage itself shows; `own` are the attributes that only this log defines."""

    line: int
    attributes: dict[str, Attribute]
    activity: str
    actor: Actor | None
    values: dict[str, Json]
    own: dict[str, Json]


def describe(event: Event, context: LogContext) -> EventDescription:
    """Describe an event. Raises `BadEvent` if it has no name or a value that does not match its type."""
    attributes = first_by_key(event.attributes)
    actor = actor_of(attributes, context)
    shown = _shown_by_stage(attributes, actor)
    rest = [item for item in event.attributes if item.key not in shown or item is not attributes[item.key]]
    values = object_of(rest, event.line)
    activity = _activity(event, attributes, context)
    return EventDescription(event.line, attributes, activity, actor, values, context.own_attributes(values))


def actor_of(attributes: dict[str, Attribute], context: LogContext) -> Actor | None:
    """Return the resource as an actor, or None if there is none or it is the log's default."""
    resource = text_of(attributes, RESOURCE)
    if not resource or resource in context.default_resources:
        return None
    return {"kind": "user", "id": within(resource)}


def start_time(event: EventDescription, context: LogContext) -> datetime | None:
    """Return when the activity that the event completes started, if the log states it as a date."""
    attribute = event.attributes.get(STARTED)
    return time_of(attribute, event.line, context) if attribute and attribute.type == "date" else None


def time_of(attribute: Attribute, line: int, context: LogContext) -> datetime:
    """Return the time of a timestamp attribute. Raises `BadEvent` if it is not a time."""
    try:
        return instant(attribute, context.zone)
    except BadValue as error:
        raise BadEvent(line, str(error)) from None


def object_of(attributes: list[Attribute], line: int) -> dict[str, Json]:
    """Return attributes as one JSON object. Raises `BadEvent` for a value that does not match its type."""
    try:
        return as_object(attributes)
    except BadValue as error:
        raise BadEvent(line, str(error)) from None


def _activity(event: Event, attributes: dict[str, Attribute], context: LogContext) -> str:
    if name := text_of(attributes, NAME):
        return name
    for keys in context.activities:
        values = [value for key in keys if (value := text_of(attributes, key))]
        if len(values) == len(keys):
            return "+".join(values)
    raise BadEvent(event.line, f"The event has no name ({NAME}), and no classifier of the log gives it one")


def _shown_by_stage(attributes: dict[str, Attribute], actor: Actor | None) -> set[str]:
    """Return the keys whose whole content the stage's name, time, actor and state show."""
    keys = {NAME, TIME}
    if actor:
        keys.add(RESOURCE)
    if (text_of(attributes, TRANSITION) or "complete").lower() in _SHOWN_BY_STATE:
        keys.add(TRANSITION)
    return {
        key
        for key in keys
        if key in attributes and not attributes[key].children and not _below_microseconds(attributes[key])
    }


def _below_microseconds(attribute: Attribute) -> bool:
    """Whether a time is finer than microseconds, which PostgreSQL stores. Such a time stays among the attributes."""
    if attribute.key != TIME:
        return False
    fraction = (attribute.value or "").partition(".")[2].rstrip("Zz").split("+")[0].split("-")[0]
    return len(fraction) > 6
