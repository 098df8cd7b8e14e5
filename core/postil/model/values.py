"""Checks of single values, shared by the model's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

from postil.errors import InvalidInput

T = TypeVar("T")


def checked(value: T, kind: type | tuple[type, ...], field: str) -> T:
    """Return `value`. Raises `InvalidInput` if it does not have the type `kind`: not every caller uses a type checker."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    names = " or ".join(kind.__name__ for kind in (kind if isinstance(kind, tuple) else (kind,)))
    raise InvalidInput(f"{field} must be of type {names}, this is {type(value).__name__}.", field=field)


class Unset:
    """The type of `UNSET`, the sentinel for "not given". None means JSON null."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # unpickling returns the same object


UNSET: Final = Unset()


def rfc3339(time: datetime, place: str) -> str:
    """Format a time in UTC as RFC 3339; `place` is its path in an error.

    Raises `InvalidInput` if it has no time zone: it would mean another moment in each zone.
    """
    if checked(time, datetime, place).utcoffset() is None:
        raise InvalidInput(f"{place} has no time zone: {time.isoformat()}.", field=place)
    try:
        return time.astimezone(UTC).isoformat()
    except OverflowError:
        raise InvalidInput(
            f"{place} must lie within the years 1 to 9999: {time.isoformat()}.", field=place
        ) from None
