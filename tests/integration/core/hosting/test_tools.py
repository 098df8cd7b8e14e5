"""`@tool` records each call inside a hosted run, for any arguments and any end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postil import AsyncPostil, Postil, errors, tool


class Oops(Exception):
    """What goes wrong in a tool."""


class Unspeakable:
    """Has neither a JSON form nor a repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@tool
def lookup(order: int, *rest: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    """Look an order up."""
    return {"order": order, "currency": currency}


@tool
def give(value: Any) -> Any:
    return value


@tool
def join(first: str, second: str) -> str:
    return first + second


@tool
def fail() -> None:
    raise Oops("it broke")


class Shop:
    """A class with a method and a static method as tools."""

    @tool
    def price(self, order: int) -> int:
        return order * 2

    @staticmethod
    @tool
    def tax(order: int) -> int:
        return order // 5


@tool
async def fetch(url: str) -> str:
    await asyncio.sleep(0)
    return url.upper()


@tool
async def hang(started: asyncio.Event) -> None:
    started.set()
    await asyncio.Event().wait()


def calls(record: Any, run_id: str) -> list[dict[str, Any]]:
    """The tool calls of a run that have ended, in order."""
    return [
        data
        for type_, data in record.events(run_id)
        if type_.startswith("tool_call:") and data["status"] != "running"
    ]


def test_a_call_is_recorded_with_all_its_parts(postil: Postil, record: Any) -> None:
    """A tool call has its arguments, result, stage and duration."""
    with postil.run("r") as run, run.stage("s"):
        assert lookup(7, 8, 9, note="x") == {"order": 7, "currency": "EUR"}
    assert record.types(run.id) == [
        "run:created", "stage:started", "tool_call:started", "tool_call:completed", "stage:completed", "run:completed"
    ]  # fmt: skip
    (call,) = calls(record, run.id)
    assert (call["name"], call["kind"], call["stage_id"]) == ("lookup", "tool", "s")
    assert call["arguments"] == {"order": 7, "rest": [8, 9], "more": {"note": "x"}}
    assert call["result"] == {"order": 7, "currency": "EUR"}
    assert call["duration_ms"] >= 0


def test_a_tool_keeps_its_name_and_documentation() -> None:
    """The decorator changes neither name nor docstring."""
    assert (lookup.__name__, lookup.__doc__) == ("lookup", "Look an order up.")


def test_outside_a_run_nothing_is_recorded(postil: Postil, record: Any) -> None:
    """Outside a hosted run the function is called as it is."""
    before = record.traces()
    assert lookup(1) == {"order": 1, "currency": "EUR"}
    with pytest.raises(Oops):
        fail()
    with postil.run("r"):
        pass
    lookup(1)
    assert record.traces()[4] == before[4]


def test_methods_are_recorded_without_self(postil: Postil, record: Any) -> None:
    """The arguments of a method do not contain `self`."""
    with postil.run("r") as run:
        assert (Shop().price(3), Shop.tax(10)) == (6, 2)
    assert [(call["name"], call["arguments"]) for call in calls(record, run.id)] == [
        ("Shop.price", {"order": 3}),
        ("Shop.tax", {"order": 10}),
    ]


def test_an_exception_is_recorded_and_propagates(postil: Postil, record: Any) -> None:
    """The tool call fails, and the caller gets the original exception."""
    with postil.run("r") as run, pytest.raises(Oops):
        fail()
    (call,) = calls(record, run.id)
    assert (call["status"], call["error"]["type"], call["error"]["message"]) == ("failed", "Oops", "it broke")
    assert record.status(run.id) == "completed", "a failure that was handled fails nothing else"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"bytes", {"repr": "b'bytes'", "truncated": False}),
        ({1: 2}, {"repr": "{1: 2}", "truncated": False}),
        (float("nan"), {"repr": "nan", "truncated": False}),
        ("\x00", {"repr": "'\\x00'", "truncated": False}),
        (range(3), {"repr": "range(0, 3)", "truncated": False}),
        (Unspeakable(), {"repr": "<Unspeakable without a description>", "truncated": False}),
        (set(range(10_000)), {"repr": repr(set(range(10_000)))[:4000], "truncated": True}),
        ("x" * 100_000, {"omitted": "100002 bytes of JSON, more than 65536 are not kept"}),
    ],
    ids=[
        "bytes",
        "keys that are not texts",
        "NaN",
        "NUL",
        "an object",
        "no description",
        "a long repr",
        "large",
    ],
)
def test_values_without_json_form_are_marked(postil: Postil, record: Any, value: Any, kept: Any) -> None:
    """A value without a JSON form, or a large one, is stored with an explicit mark."""
    with postil.run("r") as run:
        assert give(value) is value
    (call,) = calls(record, run.id)
    assert call["arguments"] == {"value": kept}
    assert call["result"] == kept


@pytest.mark.parametrize(
    "value",
    [[1e300] * 2000, nested(64), nested(65), nested(5000), 10**5000, ["x" * 60_000] * 2],
    ids=["numbers that grow", "64 levels", "65 levels", "5,000 levels", "a huge integer", "large together"],
)
def test_any_value_can_be_recorded(postil: Postil, record: Any, value: Any) -> None:
    """No argument or result prevents the call or its record."""
    with postil.run("r") as run:
        assert give(value) is value
    (call,) = calls(record, run.id)
    assert call["status"] == "completed"


def test_large_arguments_together_are_omitted(postil: Postil, record: Any) -> None:
    """Arguments that are too large together are replaced by a mark."""
    with postil.run("r") as run:
        join("x" * 60_000, "y" * 60_000)
    (call,) = calls(record, run.id)
    assert "omitted" in call["arguments"]


async def test_coroutine_functions_are_recorded_in_async_runs(async_postil: AsyncPostil, record: Any) -> None:
    """Concurrent calls of a coroutine function each become a tool call of the stage."""
    async with async_postil.run("r") as run, run.stage("s"):
        assert await asyncio.gather(fetch("a"), fetch("b")) == ["A", "B"]
    assert sorted((call["stage_id"], call["result"]) for call in calls(record, run.id)) == [
        ("s", "A"),
        ("s", "B"),
    ]
    assert await fetch("c") == "C"


async def test_a_cancelled_tool_is_recorded_as_failed(async_postil: AsyncPostil, record: Any) -> None:
    """Cancelling the task fails the tool call and cancels the run."""
    started = asyncio.Event()
    run_ids: list[str] = []

    async def work() -> None:
        async with async_postil.run("r") as run:
            run_ids.append(run.id)
            await hang(started)

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (call,) = calls(record, run_ids[0])
    assert (call["status"], call["error"]["type"]) == ("failed", "CancelledError")
    assert record.status(run_ids[0]) == "cancelled"


def test_a_tool_of_a_cancelled_run_is_not_called(postil: Postil, record: Any) -> None:
    """The function does not run if its start cannot be recorded."""
    called: list[int] = []

    def work() -> None:
        with postil.run("r") as run:
            postil.cancel_run(run.id)
            called.append(give(1))

    with pytest.raises(errors.RunCancelled):
        work()
    assert called == []


def test_a_tool_ends_although_its_run_was_cancelled(postil: Postil, record: Any) -> None:
    """The end of a call is recorded even after the end of its run."""

    @tool
    def cancel(run_id: str) -> str:
        postil.cancel_run(run_id)
        return "done"

    def work() -> None:
        with postil.run("r") as run:
            run_ids.append(run.id)
            assert cancel(run.id) == "done"

    run_ids: list[str] = []
    with pytest.raises(errors.RunCancelled):
        work()
    (call,) = calls(record, run_ids[0])
    assert (call["name"], call["status"]) == ("cancel", "completed")


def test_wrong_arguments_raise_type_error(postil: Postil) -> None:
    """The decorator raises the TypeError that the function itself would raise."""
    with postil.run("r"), pytest.raises(TypeError, match="order"):
        lookup()
