"""Binds the pure functions of the journal to something that runs them, sync or async, without twins.

A verb is written once: a function that answers a `Call`, or a `Steps` of several calls and pauses.
``name = Sync(journal.name)`` in a class gives it the method with the same parameters and the plain result;
``Async`` gives it the coroutine. Type checkers see the exact signature of both.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from postil.postgres.writes import Call

P = ParamSpec("P")

T = TypeVar("T")

T_co = TypeVar("T_co", covariant=True)

S_contra = TypeVar("S_contra", contravariant=True)


class SyncHandle(Protocol):
    """Something with a tenant that runs calls at once."""

    @property
    def tenant(self) -> str:
        """The tenant all its calls are made for."""
        ...

    def perform(self, call: Call[T]) -> T:
        """Run one call of the journal."""
        ...


class AsyncHandle(Protocol):
    """Something with a tenant that runs calls when awaited."""

    @property
    def tenant(self) -> str:
        """The tenant all its calls are made for."""
        ...

    async def perform(self, call: Call[T]) -> T:
        """Run one call of the journal."""
        ...


class Sync(Generic[P, T]):
    """A method that runs the verb at once and returns its result."""

    def __init__(self, verb: Callable[Concatenate[str, P], Call[T]]) -> None:
        self._verb = verb
        self.__doc__ = verb.__doc__

    def __get__(self, handle: SyncHandle, owner: type | None = None) -> Callable[P, T]:
        def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            return handle.perform(self._verb(handle.tenant, *args, **kwargs))

        bound.__doc__ = self._verb.__doc__
        return bound


class Async(Generic[P, T]):
    """A method that runs the verb when awaited."""

    def __init__(self, verb: Callable[Concatenate[str, P], Call[T]]) -> None:
        self._verb = verb
        self.__doc__ = verb.__doc__

    def __get__(self, handle: AsyncHandle, owner: type | None = None) -> Callable[P, Coroutine[Any, Any, T]]:
        async def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            return await handle.perform(self._verb(handle.tenant, *args, **kwargs))

        bound.__doc__ = self._verb.__doc__
        return bound
