"""The driver carries out the steps of a hosted run, sync and async alike."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pytest

from postil.commands import StartRun
from postil.hosting.driver import Sleep, Steps, drive, drive_async, drive_to_end
from postil.requests import AsyncSender, Sender


class Sync(Sender):
    """Returns a text for each command, and refuses the runs that it is given."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def send(self, request: Any) -> Any:
        if request.run_id in self.refused:
            raise LookupError(request.run_id)
        return f"result of {request.run_id}"


class Async(AsyncSender):
    """As `Sync`, when awaited."""

    def __init__(self, *refused: str) -> None:
        self.sync = Sync(*refused)

    async def send(self, request: Any) -> Any:
        return self.sync.send(request)


def steps(log: list[str]) -> Steps[str]:
    """Two commands, with a pause between them; an error of the first one is handled."""
    try:
        log.append((yield StartRun("first")))
    except LookupError as error:
        log.append(f"handled {error}")
    yield Sleep(0)
    log.append((yield StartRun("second")))
    return "done"


async def carry_out(form: str, log: list[str], *refused: str) -> str:
    """Carry the steps out in one form or the other."""
    if form == "sync":
        return drive(steps(log), Sync(*refused))
    return await drive_async(steps(log), Async(*refused))


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_each_step_gets_its_result(form: str) -> None:
    """The result of each command is the value of its yield, and the driver returns the steps' own result."""
    log: list[str] = []
    assert await carry_out(form, log) == "done"
    assert log == ["result of first", "result of second"]


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_an_error_is_raised_inside_the_steps(form: str) -> None:
    """The steps may handle the error of a command and continue."""
    log: list[str] = []
    assert await carry_out(form, log, "first") == "done"
    assert log == ["handled first", "result of second"]


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_an_unhandled_error_propagates(form: str) -> None:
    """The driver raises an error that the steps do not handle."""
    with pytest.raises(LookupError, match="second"):
        await carry_out(form, [], "second")


async def test_a_cancellation_passes_through_the_steps() -> None:
    """Cancelling the task while a command is under way raises CancelledError in the steps, and then in the task."""
    started = asyncio.Event()

    class Hanging(AsyncSender):
        """Never returns."""

        async def send(self, request: Any) -> Any:
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(drive_async(steps([]), Hanging()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Slow(AsyncSender):
    """Reports that a command has begun, and carries it out when it is released."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def send(self, request: Any) -> Any:
        self.has_begun.set()
        await self.may_end.wait()
        return request.run_id


def test_steps_that_must_end_survive_cancellations() -> None:
    """`drive_to_end` carries out all steps, also if its task is cancelled twice and is the last of the event loop."""
    log: list[str] = []

    async def cancel_twice() -> NoReturn:
        sender = Slow()
        task = asyncio.current_task()
        assert task is not None

        async def interrupt() -> None:
            await sender.has_begun.wait()
            task.cancel()
            await asyncio.sleep(0)  # the first cancellation is raised before the second
            task.cancel()
            await asyncio.sleep(0)
            sender.may_end.set()

        interruption = asyncio.create_task(interrupt())
        try:
            await drive_to_end(steps(log), sender)
        finally:
            await interruption
        raise AssertionError("the cancellation was lost")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_twice())
    assert log == ["first", "second"]


async def test_an_error_of_steps_that_must_end_propagates() -> None:
    """`drive_to_end` raises an error that the steps do not handle, and returns their result if there is none."""
    with pytest.raises(LookupError, match="second"):
        await drive_to_end(steps([]), Async("second"))
    assert await drive_to_end(steps([]), Async()) == "done"
