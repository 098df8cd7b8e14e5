"""Checks of single values, shared by the model's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

from postil.errors import InvalidInput

T = TypeVar("T")


def checked(value: T, kind: type | tuple[type, ...], field: str) -> T:
    """Return `value`, or raise `InvalidInput` where it is not of that type: callers without a type checker meet this."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    wanted = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
    raise InvalidInput(f"{field} must be of type {wanted}, this is {type(value).__name__}.", field=field)


class Unset:
    """Leaving something out is how one says nothing; None is the JSON value null."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # the one there is, after pickling too


UNSET: Final = Unset()


def rfc3339(time: datetime, place: str) -> str:
    """Spell a time in UTC; `InvalidInput` where it has no zone, for it would mean another moment everywhere."""
    if checked(time, datetime, place).utcoffset() is None:
        raise InvalidInput(f"{place} has no time zone: {time.isoformat()}.", field=place)
    try:
        return time.astimezone(UTC).isoformat()
    except OverflowError:
        raise InvalidInput(
            f"{place} must lie within the years 1 to 9999: {time.isoformat()}.", field=place
        ) from None
