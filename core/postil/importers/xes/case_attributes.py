"""Finds the attributes of events that describe the whole case: those that never change, and those that change rarely."""

from __future__ import annotations

from postil.importers.histories import Json


def constant(events: list[dict[str, Json]], but: frozenset[str]) -> dict[str, Json]:
    """Return the attributes that all events have with the same value, if there are at least two events.

    Logs exported from a table repeat the attributes of the case like this.
    `but` are keys to leave out. The result is an attribute object with its own ``@types``.
    """
    if len(events) < 2:
        return {}
    first, *others = events
    shared = {
        key: value
        for key, value in first.items()
        if key[:1] != "@" and key not in but and all(key in other and other[key] == value for other in others)
    }
    types = [_types(event) for event in events]
    shared = {
        key: value
        for key, value in shared.items()
        if all(of_event.get(key) == types[0].get(key) for of_event in types)
    }
    if shared_types := {key: kind for key, kind in types[0].items() if key in shared}:
        shared["@types"] = shared_types
    return shared


def lasting(events: list[dict[str, Json]]) -> set[str]:
    """Return the keys of attributes that events repeat and that change rarely.

    An attribute that changes at more than half of the events that have it is a measurement of each event,
    so it does not describe the case.
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
    """Return the attribute object without some of its keys, and without the types of these keys."""
    rest = {key: value for key, value in values.items() if key not in keys and key != "@types"}
    if types := {key: kind for key, kind in _types(values).items() if key in rest}:
        rest["@types"] = types
    return rest


def _types(values: dict[str, Json]) -> dict[str, Json]:
    types = values.get("@types")
    return types if isinstance(types, dict) else {}
