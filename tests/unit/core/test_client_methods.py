"""A verb written once is a method of both handles, and a plan runs alike at once and when awaited."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from postil import AsyncPostil, AsyncTransactionWriter, Postil, TransactionWriter
from postil.client.methods import Async, Sync
from postil.hosting.driver import Sleep, Steps, drive, drive_async
from postil.postgres import writes as journal
from postil.postgres.writes import Call


def double(tenant: str, n: int, *, more: int = 0) -> Call[int]:
    """Double a number."""
    return Call(f"{tenant}: {2 * n + more}", {}, lambda _: 0)


class Handle:
    """Performs a call by telling its statement."""

    tenant = "t"
    double = Sync(double)

    def perform(self, call: Call[Any]) -> Any:
        return call.sql


class AsyncHandle:
    """As above, when awaited."""

    tenant = "t"
    double = Async(double)

    async def perform(self, call: Call[Any]) -> Any:
        await asyncio.sleep(0)
        return call.sql


async def test_both_handles_take_the_same_parameters_and_answer_the_same() -> None:
    assert Handle().double(4, more=1) == "t: 9"
    assert await AsyncHandle().double(4, more=1) == "t: 9"
    assert Handle().double.__doc__ == "Double a number."


def test_every_verb_of_the_journal_is_there_in_all_four_places() -> None:
    verbs = {name for name in journal.__all__ if name.islower() and name != "interaction_state"}
    for place in (Postil, AsyncPostil, TransactionWriter, AsyncTransactionWriter):
        kind = Async if place.__name__.startswith("Async") else Sync
        bound = {
            name for base in place.__mro__ for name, value in vars(base).items() if isinstance(value, kind)
        }
        assert bound == verbs
    for name in verbs:
        assert inspect.getdoc(getattr(journal, name))


def step(name: str) -> Call[Any]:
    return Call(name, {}, lambda _: None)


def plan(log: list[str]) -> Steps[str]:
    try:
        log.append((yield step("first")))
    except LookupError as error:
        log.append(f"handled {error}")
    yield Sleep(0)
    log.append((yield step("second")))
    return "done"


def answer(call: Call[Any]) -> Any:
    return f"answer to {call.sql}"


def refuse_first(call: Call[Any]) -> Any:
    if call.sql == "first":
        raise LookupError(call.sql)
    return answer(call)


def refuse_second(call: Call[Any]) -> Any:
    if call.sql == "second":
        raise LookupError(call.sql)
    return answer(call)


async def run(how: str, run_call: Any, log: list[str]) -> str:
    """Carry the plan out, one way or the other."""
    if how == "sync":
        return drive(plan(log), run_call)

    async def run_async(call: Call[Any]) -> Any:
        return run_call(call)

    return await drive_async(plan(log), run_async)


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_each_step_gets_its_answer_and_the_plan_its_result(how: str) -> None:
    log: list[str] = []
    assert await run(how, answer, log) == "done"
    assert log == ["answer to first", "answer to second"]


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_an_error_is_raised_inside_the_plan_which_may_handle_it(how: str) -> None:
    log: list[str] = []
    assert await run(how, refuse_first, log) == "done"
    assert log == ["handled first", "answer to second"]


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_an_error_the_plan_does_not_handle_comes_out(how: str) -> None:
    with pytest.raises(LookupError, match="second"):
        await run(how, refuse_second, [])


async def test_a_cancellation_passes_through_the_plan() -> None:
    begun = asyncio.Event()

    async def hang(_: Call[Any]) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(drive_async(plan([]), hang))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
