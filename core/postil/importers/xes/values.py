"""The values of XES attributes as JSON, nothing lost: types JSON does not have are named beside the values.

An attribute list becomes one object, key → value. Its ``@types`` names the type of each value that is not plain from
the JSON itself (a date, an id, a float without a number), ``@value`` is the own value of an attribute that has others
nested in it, a list becomes an array of one-key objects, a container an object,
and a key that is there several times (the standard forbids it, logs have it) an array of its values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from postil.importers.errors import BadValue
from postil.importers.histories import Json
from postil.importers.xes.log import Attribute

# xs:dateTime, with the liberties real exporters take: a space for the T, an offset without its colon.
_DATE = re.compile(
    r"(-?\d{4,})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)
_INT = re.compile(r"[+-]?\d{1,1000}")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NO_NUMBER = {"NaN", "INF", "+INF", "-INF", "Infinity", "-Infinity", "nan", "inf", "-inf"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def as_object(attributes: Iterable[Attribute]) -> dict[str, Json]:
    """The attributes as one JSON object. Raises `BadValue` naming the key whose value is not what its type says."""
    found: dict[str, Json] = {}
    types: dict[str, Json] = {}
    repeated: set[str] = set()
    for attribute in attributes:
        if (
            attribute.type == "string"
            and not attribute.children
            and attribute.key not in found
            and attribute.key[:1] != "@"
        ):
            found[attribute.key] = attribute.value  # most attributes are this simple
            if attribute.value is None:
                types[attribute.key] = "string"
            continue
        key = f"@{attribute.key}" if attribute.key.startswith("@") else attribute.key
        value, kind = as_json(attribute)
        if key in found and key not in repeated:
            repeated.add(key)
            found[key] = [found[key]]
            types[key] = [types.get(key)]
        if key in repeated:
            values, kinds = found[key], types[key]
            assert isinstance(values, list)
            assert isinstance(kinds, list)
            values.append(value)
            kinds.append(kind)
        else:
            found[key] = value
            if kind:
                types[key] = kind
    if types:
        found["@types"] = types
    return found


def as_json(attribute: Attribute) -> tuple[Json, str | None]:
    """An attribute's value, and its type where the JSON alone does not tell it."""
    kind = attribute.type
    if kind == "list":
        return [as_object([child]) for child in attribute.children or ()], None
    if kind == "container":
        return as_object(attribute.children or ()), "container"
    value, named = _scalar(attribute)
    if attribute.children:
        return {"@value": value, **as_object(attribute.children)}, named
    return value, named


def _scalar(attribute: Attribute) -> tuple[Json, str | None]:
    kind, raw = attribute.type, attribute.value
    if raw is None:
        return None, kind
    if kind == "string":
        return raw, None
    value = raw.strip()
    if kind == "boolean":
        if (boolean := _BOOLEANS.get(value.lower())) is None:
            raise _bad(attribute, "a boolean (true or false)")
        return boolean, None
    if kind == "int":
        if not _INT.fullmatch(value):
            raise _bad(attribute, "an integer")
        return int(value), None
    if kind == "float":
        if value in _NO_NUMBER:
            return value, "float"
        if not _FLOAT.fullmatch(value):
            raise _bad(attribute, "a number")
        number = float(value)
        return (number, None) if math.isfinite(number) else (value, "float")
    if kind == "date":
        _fields(attribute)
        return raw, "date"
    return raw, kind


def instant(attribute: Attribute, zone: ZoneInfo | None) -> datetime:
    """The moment a timestamp names; microseconds, as Postgres keeps them.

    Raises `BadValue` for a day or year that does not exist, and for a time without a zone when no `zone` is given.
    """
    local, offset = _fields(attribute)
    if offset is not None:
        return local.replace(tzinfo=timezone(offset))
    if zone is None:
        raise BadValue(
            f"{attribute.key} {attribute.value!r} has no time zone; say which it is, as in --timezone Europe/Rome"
        )
    return local.replace(tzinfo=zone)


def _fields(attribute: Attribute) -> tuple[datetime, timedelta | None]:
    value = (attribute.value or "").strip()
    match = _DATE.fullmatch(value)
    if not match:
        raise _bad(attribute, "a date and time (as in 2026-01-02T03:04:05.678+01:00)")
    year, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = match.groups()
    try:
        # xs:dateTime calls the end of a day 24:00:00.
        end_of_day = (hour, minute, second) == ("24", "00", "00") and not (fraction or "").strip("0")
        moment = datetime(  # noqa: DTZ001 (the zone is told apart below, for it may be missing)
            int(year), int(month), int(day),
            0 if end_of_day else int(hour), int(minute), int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
        )  # fmt: skip
        if end_of_day:
            moment += timedelta(days=1)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    except (ValueError, OverflowError) as error:
        raise _bad(attribute, f"a date that exists ({error})") from None
    if not 1 < moment.year < 9999:  # a margin, so that it can be told in any zone
        raise _bad(attribute, "a date of the years 2 to 9998")
    if offset > timedelta(hours=14):
        raise _bad(attribute, "a date with a zone (they are at most 14 hours off)")
    if sign is None:
        return moment, offset if zulu else None
    return moment, offset if sign == "+" else -offset


def _bad(attribute: Attribute, wanted: str) -> BadValue:
    shown = (
        attribute.value
        if attribute.value is None or len(attribute.value) <= 60
        else f"{attribute.value[:60]}…"
    )
    return BadValue(f"{attribute.key} {shown!r} is not {wanted}")
