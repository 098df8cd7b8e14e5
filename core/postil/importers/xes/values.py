"""Converts XES attributes to JSON without loss.

* An attribute list becomes one object, key → value.
* ``@types`` names the type of each value whose type JSON does not show: a date, an id, a float that is not a number.
* ``@value`` is the value of an attribute that also has nested attributes.
* A list becomes an array of one-key objects, a container an object.
* A key that occurs several times becomes an array of its values. The standard forbids this, but logs contain it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from postil.importers.errors import BadValue
from postil.importers.histories import Json
from postil.importers.xes.elements import Attribute

# xs:dateTime, and what real exporters write: a space for the T, an offset without the colon.
_DATE = re.compile(
    r"(-?\d{4,})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)
_INT = re.compile(r"[+-]?\d{1,1000}")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_A_NUMBER = {"NaN", "INF", "+INF", "-INF", "Infinity", "-Infinity", "nan", "inf", "-inf"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def as_object(attributes: Iterable[Attribute]) -> dict[str, Json]:
    """Return the attributes as one JSON object. Raises `BadValue` with the key of a value that does not match its type."""
    values: dict[str, Json] = {}
    types: dict[str, Json] = {}
    repeated: set[str] = set()
    for attribute in attributes:
        if (
            attribute.type == "string"
            and not attribute.children
            and attribute.key not in values
            and attribute.key[:1] != "@"
        ):
            values[attribute.key] = attribute.value  # the common case
            if attribute.value is None:
                types[attribute.key] = "string"
            continue
        key = f"@{attribute.key}" if attribute.key.startswith("@") else attribute.key
        value, kind = as_json(attribute)
        if key in values and key not in repeated:
            repeated.add(key)
            values[key] = [values[key]]
            types[key] = [types.get(key)]
        if key in repeated:
            key_values, key_types = values[key], types[key]
            assert isinstance(key_values, list)
            assert isinstance(key_types, list)
            key_values.append(value)
            key_types.append(kind)
        else:
            values[key] = value
            if kind:
                types[key] = kind
    if types:
        values["@types"] = types
    return values


def as_json(attribute: Attribute) -> tuple[Json, str | None]:
    """Return an attribute's value, and its type if JSON does not show it."""
    kind = attribute.type
    if kind == "list":
        return [as_object([child]) for child in attribute.children or ()], None
    if kind == "container":
        return as_object(attribute.children or ()), "container"
    value, kind_name = _scalar(attribute)
    if attribute.children:
        return {"@value": value, **as_object(attribute.children)}, kind_name
    return value, kind_name


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
        if value in _NOT_A_NUMBER:
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
    """Return the time of a timestamp in microseconds, the resolution of PostgreSQL.

    Raises `BadValue` for a day or year that does not exist, and for a time without a zone if `zone` is None.
    """
    local, offset = _fields(attribute)
    if offset is not None:
        return local.replace(tzinfo=timezone(offset))
    if zone is None:
        raise BadValue(
            f"{attribute.key} {attribute.value!r} has no time zone; state it, for example --timezone Europe/Rome"
        )
    return local.replace(tzinfo=zone)


def _fields(attribute: Attribute) -> tuple[datetime, timedelta | None]:
    value = (attribute.value or "").strip()
    match = _DATE.fullmatch(value)
    if not match:
        raise _bad(attribute, "a date and time (as in 2026-01-02T03:04:05.678+01:00)")
    year, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = match.groups()
    try:
        # In xs:dateTime 24:00:00 is the end of a day.
        end_of_day = (hour, minute, second) == ("24", "00", "00") and not (fraction or "").strip("0")
        moment = datetime(  # noqa: DTZ001 (the zone is returned separately, because it may be missing)
            int(year), int(month), int(day),
            0 if end_of_day else int(hour), int(minute), int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
        )  # fmt: skip
        if end_of_day:
            moment += timedelta(days=1)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    except (ValueError, OverflowError) as error:
        raise _bad(attribute, f"a date that exists ({error})") from None
    if not 1 < moment.year < 9999:  # a margin, so that the time exists in every zone
        raise _bad(attribute, "a date of the years 2 to 9998")
    if offset > timedelta(hours=14):
        raise _bad(attribute, "a date with a zone (they are at most 14 hours off)")
    if sign is None:
        return moment, offset if zulu else None
    return moment, offset if sign == "+" else -offset


def _bad(attribute: Attribute, expected: str) -> BadValue:
    shown = (
        attribute.value
        if attribute.value is None or len(attribute.value) <= 60
        else f"{attribute.value[:60]}…"
    )
    return BadValue(f"{attribute.key} {shown!r} is not {expected}")
