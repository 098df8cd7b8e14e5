"""Requests: what a client sends to the database, as data, and the ports that send them.

A request knows the type of its result and no SQL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Request(Generic[T_co]):
    """A request to read or write, as a frozen dataclass. `T_co` is the type of its result."""


class Command(Request[T_co]):
    """A request to write. Its result is a receipt.

    Every command can raise more errors than its own docstring names: `InvalidInput`
    (with annotations or JSON also `InvalidAnnotation` and `PayloadTooLarge`), `TenantNotFound`,
    `TenantMismatch` and `NotDurable`.
    """


class Query(Request[T_co]):
    """A request to read. Its result is a record."""


class Sender(ABC):
    """Sends requests, and returns when they are done."""

    @abstractmethod
    def send(self, request: Request[T]) -> T:
        """Send a command or query, and return its result. Raises the typed errors of `postil.errors`."""


class AsyncSender(ABC):
    """Sends requests without blocking the event loop."""

    @abstractmethod
    async def send(self, request: Request[T]) -> T:
        """Send a command or query, and return its result. Raises the typed errors of `postil.errors`."""
