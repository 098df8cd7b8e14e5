"""Requests: what a client sends to the database, as data. A request knows the type of its result and no SQL."""

from __future__ import annotations

from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Request(Generic[T_co]):
    """A request to read or write, as a frozen dataclass. `T_co` is the type of its result."""


class Command(Request[T_co]):
    """A request to write. Its result is a receipt."""


class Query(Request[T_co]):
    """A request to read. Its result is a record."""
