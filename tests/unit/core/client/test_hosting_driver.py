"""The driver carries out the steps of a hosted run, sync and async alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postil.commands import StartRun
from postil.hosting.driver import Sleep, Steps, drive, drive_async
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
