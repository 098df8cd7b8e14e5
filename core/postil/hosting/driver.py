"""Drives the steps of a hosted run, at once or when awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from postil.client.methods import T
from postil.postgres.writes import Call


@dataclass(frozen=True)
class Sleep:
    """A plan's wish to wait before its next step, in seconds."""

    seconds: float


Steps: TypeAlias = Generator[Call[Any] | Sleep, Any, T]
"""Several steps with something to decide in between; each yield gives the step's answer back."""


def drive(plan: Steps[T], run: Callable[[Call[Any]], Any]) -> T:
    """Carry out a plan step by step; a step's error is raised inside the plan, which may handle it."""
    step = next_step(plan, None, None)
    while not isinstance(step, Finished):
        try:
            answer = _sleep(step) if isinstance(step, Sleep) else run(step)
        except Exception as error:  # noqa: BLE001 (handed to the plan, which raises what it does not handle)
            step = next_step(plan, None, error)
        else:
            step = next_step(plan, answer, None)
    return cast("T", step.result)


def _sleep(pause: Sleep) -> object:
    time.sleep(pause.seconds)
    return None


async def drive_async(plan: Steps[T], run: Callable[[Call[Any]], Coroutine[Any, Any, Any]]) -> T:
    """Carry out a plan as `drive` does, without blocking the event loop."""
    step = next_step(plan, None, None)
    while not isinstance(step, Finished):
        try:
            answer = await (asyncio.sleep(step.seconds, None) if isinstance(step, Sleep) else run(step))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (handed to the plan, as above)
            step = next_step(plan, None, error)
        else:
            step = next_step(plan, answer, None)
    return cast("T", step.result)


@dataclass(frozen=True)
class Finished:
    """A plan has ended with this result."""

    result: object


def next_step(plan: Steps[Any], answer: object, error: BaseException | None) -> Call[Any] | Sleep | Finished:
    """Give the plan the last step's answer or error; returns its next step, or `Finished`."""
    try:
        return plan.send(answer) if error is None else plan.throw(error)
    except StopIteration as end:
        return Finished(end.value)
