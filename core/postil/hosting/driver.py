"""Drives the steps of a hosted run: sends each command and passes its result back, sync or async."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from postil.requests import AsyncSender, Request, Sender

T = TypeVar("T")


@dataclass(frozen=True)
class Sleep:
    """Asks the driver to sleep before the next step."""

    seconds: float


@dataclass(frozen=True)
class Finished:
    """The steps have ended with this result."""

    result: object


Steps: TypeAlias = Generator[Request[Any] | Sleep, Any, T]
"""An operation of several steps, as a generator: it yields requests and pauses, and receives the requests' results."""


def drive(steps: Steps[T], sender: Sender) -> T:
    """Carry out the steps, and return their result.

    An error of a request is raised inside the steps. What they do not handle propagates.
    """
    step = next_step(steps, None, None)
    while not isinstance(step, Finished):
        try:
            result = _sleep(step) if isinstance(step, Sleep) else sender.send(step)
        except Exception as error:  # noqa: BLE001 (raised inside the steps, which raise what they do not handle)
            step = next_step(steps, None, error)
        else:
            step = next_step(steps, result, None)
    return cast("T", step.result)


async def drive_async(steps: Steps[T], sender: AsyncSender) -> T:
    """Carry out the steps as `drive` does, without blocking the event loop."""
    step = next_step(steps, None, None)
    while not isinstance(step, Finished):
        try:
            result = await (
                asyncio.sleep(step.seconds, None) if isinstance(step, Sleep) else sender.send(step)
            )
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (raised inside the steps, as above)
            step = next_step(steps, None, error)
        else:
            step = next_step(steps, result, None)
    return cast("T", step.result)


async def drive_to_end(steps: Steps[T], sender: AsyncSender) -> T:
    """Carry out the steps whole, and return their result. A cancellation in the meantime is raised after their end."""
    task = asyncio.ensure_future(drive_async(steps, sender))
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancellation = error
        except Exception:  # noqa: BLE001 (raised below)
            break
    if cancellation is not None and not task.cancelled():
        raise cancellation from task.exception()
    return task.result()


def _sleep(step: Sleep) -> object:
    time.sleep(step.seconds)
    return None


def next_step(
    steps: Steps[Any], result: object, error: BaseException | None
) -> Request[Any] | Sleep | Finished:
    """Pass the result or error of the last step to the steps. Returns their next step, or `Finished`."""
    try:
        return steps.send(result) if error is None else steps.throw(error)
    except StopIteration as end:
        return Finished(end.value)
