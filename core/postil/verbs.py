"""Binds the pure functions of the journal to something that runs them, sync or async, without twins.

A verb is written once: a function that answers a `Call`, or a `Plan` of several calls and pauses.
``name = Sync(journal.name)`` in a class gives it the method with the same parameters and the plain result;
``Async`` gives it the coroutine. Type checkers see the exact signature of both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast

from postil.journal import Call

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)


@dataclass(frozen=True)
class Pause:
    """A plan's wish to wait before its next step, in seconds."""

    seconds: float


Plan: TypeAlias = Generator[Call[Any] | Pause, Any, T]
"""Several steps with something to decide in between; each yield gives the step's answer back."""


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


def drive(plan: Plan[T], run: Callable[[Call[Any]], Any]) -> T:
    """Carry out a plan step by step; a step's error is raised inside the plan, which may handle it."""
    step = next_step(plan, None, None)
    while not isinstance(step, Done):
        try:
            answer = _sleep(step) if isinstance(step, Pause) else run(step)
        except Exception as error:  # noqa: BLE001 (handed to the plan, which raises what it does not handle)
            step = next_step(plan, None, error)
        else:
            step = next_step(plan, answer, None)
    return cast("T", step.result)


def _sleep(pause: Pause) -> object:
    time.sleep(pause.seconds)
    return None


async def drive_async(plan: Plan[T], run: Callable[[Call[Any]], Coroutine[Any, Any, Any]]) -> T:
    """Carry out a plan as `drive` does, without blocking the event loop."""
    step = next_step(plan, None, None)
    while not isinstance(step, Done):
        try:
            answer = await (asyncio.sleep(step.seconds, None) if isinstance(step, Pause) else run(step))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (handed to the plan, as above)
            step = next_step(plan, None, error)
        else:
            step = next_step(plan, answer, None)
    return cast("T", step.result)


@dataclass(frozen=True)
class Done:
    """A plan has ended with this result."""

    result: object


def next_step(plan: Plan[Any], answer: object, error: BaseException | None) -> Call[Any] | Pause | Done:
    """Give the plan the last step's answer or error; returns its next step, or `Done`."""
    try:
        return plan.send(answer) if error is None else plan.throw(error)
    except StopIteration as end:
        return Done(end.value)


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
