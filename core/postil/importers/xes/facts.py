"""Tells which attributes of events are facts about the case: what never changes in it, and what changes now and then."""

from __future__ import annotations

from postil.importers.histories import Json


def constant(events: list[dict[str, Json]], but: frozenset[str]) -> dict[str, Json]:
    """The attributes every event of two or more has with one value: the case's own, as in logs made from a table.

    The answer is an attribute object like those given, with its ``@types``.
    """
    if len(events) < 2:
        return {}
    first, *others = events
    found = {
        key: value
        for key, value in first.items()
        if key[:1] != "@" and key not in but and all(key in other and other[key] == value for other in others)
    }
    kinds = [_types(event) for event in events]
    found = {
        key: value
        for key, value in found.items()
        if all(kind.get(key) == kinds[0].get(key) for kind in kinds)
    }
    if typed := {key: kind for key, kind in kinds[0].items() if key in found}:
        found["@types"] = typed
    return found


def lasting(events: list[dict[str, Json]]) -> set[str]:
    """The attributes that are carried from event to event and change now and then.

    One that changes at more than half of the events that have it is a measurement of each event, and no fact about the case.
    """
    last: dict[str, Json] = {}
    carried: dict[str, int] = {}
    changed: dict[str, int] = {}
    for values in events:
        for key, value in values.items():
            if key in last:
                carried[key] = carried.get(key, 0) + 1
                changed[key] = changed.get(key, 0) + (last[key] != value)
            last[key] = value
    return {key for key, times in carried.items() if 2 * changed[key] <= times}


def without(values: dict[str, Json], keys: set[str] | dict[str, Json]) -> dict[str, Json]:
    """The attribute object without some of its keys, and without the types of what it no longer has."""
    found = {key: value for key, value in values.items() if key not in keys and key != "@types"}
    if typed := {key: kind for key, kind in _types(values).items() if key in found}:
        found["@types"] = typed
    return found


def _types(values: dict[str, Json]) -> dict[str, Json]:
    types = values.get("@types")
    return types if isinstance(types, dict) else {}
