"""`@tool`: each call inside a hosted run is a tool call of it, whatever it is given and however it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postil import AsyncPostil, Postil, errors, tool


class Oops(Exception):
    """What goes wrong in a tool."""


class Unspeakable:
    """Has no JSON form, and not even a description."""

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
    """Methods are tools as well."""

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
    """How the tool calls of a run ended, in order."""
    return [
        data
        for type_, data in record.events(run_id)
        if type_.startswith("tool_call:") and data["status"] != "running"
    ]


def test_a_call_is_recorded_with_its_arguments_result_stage_and_duration(postil: Postil, record: Any) -> None:
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
    assert (lookup.__name__, lookup.__doc__) == ("lookup", "Look an order up.")


def test_outside_a_run_the_function_is_simply_called(postil: Postil, record: Any) -> None:
    before = record.traces()
    assert lookup(1) == {"order": 1, "currency": "EUR"}
    with pytest.raises(Oops):
        fail()
    with postil.run("r"):
        pass
    lookup(1)
    assert record.traces()[4] == before[4]


def test_methods_are_tools_without_their_self(postil: Postil, record: Any) -> None:
    with postil.run("r") as run:
        assert (Shop().price(3), Shop.tax(10)) == (6, 2)
    assert [(call["name"], call["arguments"]) for call in calls(record, run.id)] == [
        ("Shop.price", {"order": 3}),
        ("Shop.tax", {"order": 10}),
    ]


def test_an_exception_is_recorded_and_goes_on_its_way(postil: Postil, record: Any) -> None:
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
        "keys that are no texts",
        "NaN",
        "NUL",
        "an object",
        "no description",
        "a long repr",
        "large",
    ],
)
def test_what_has_no_json_form_or_is_large_is_marked_as_such(
    postil: Postil, record: Any, value: Any, kept: Any
) -> None:
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
def test_no_value_keeps_a_tool_from_being_called_and_recorded(
    postil: Postil, record: Any, value: Any
) -> None:
    with postil.run("r") as run:
        assert give(value) is value
    (call,) = calls(record, run.id)
    assert call["status"] == "completed"


def test_many_large_arguments_are_left_out_together(postil: Postil, record: Any) -> None:
    with postil.run("r") as run:
        join("x" * 60_000, "y" * 60_000)
    (call,) = calls(record, run.id)
    assert "omitted" in call["arguments"]


async def test_coroutine_functions_are_tools_in_an_async_run(async_postil: AsyncPostil, record: Any) -> None:
    async with async_postil.run("r") as run, run.stage("s"):
        assert await asyncio.gather(fetch("a"), fetch("b")) == ["A", "B"]
    assert sorted((call["stage_id"], call["result"]) for call in calls(record, run.id)) == [
        ("s", "A"),
        ("s", "B"),
    ]
    assert await fetch("c") == "C"


async def test_a_cancelled_tool_is_recorded_as_failed(async_postil: AsyncPostil, record: Any) -> None:
    started = asyncio.Event()
    seen: list[str] = []

    async def work() -> None:
        async with async_postil.run("r") as run:
            seen.append(run.id)
            await hang(started)

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (call,) = calls(record, seen[0])
    assert (call["status"], call["error"]["type"]) == ("failed", "CancelledError")
    assert record.status(seen[0]) == "cancelled"


def test_a_tool_of_a_cancelled_run_is_not_called(postil: Postil, record: Any) -> None:
    called: list[int] = []

    def work() -> None:
        with postil.run("r") as run:
            postil.cancel_run(run.id)
            called.append(give(1))

    with pytest.raises(errors.RunCancelled):
        work()
    assert called == []


def test_a_tool_whose_run_is_cancelled_meanwhile_ends_all_the_same(postil: Postil, record: Any) -> None:
    @tool
    def cancel(run_id: str) -> str:
        postil.cancel_run(run_id)
        return "done"

    def work() -> None:
        with postil.run("r") as run:
            seen.append(run.id)
            assert cancel(run.id) == "done"

    seen: list[str] = []
    with pytest.raises(errors.RunCancelled):
        work()
    (call,) = calls(record, seen[0])
    assert (call["name"], call["status"]) == ("cancel", "completed")


def test_wrong_arguments_are_the_callers_own_mistake(postil: Postil) -> None:
    with postil.run("r"), pytest.raises(TypeError, match="order"):
        lookup()  # type: ignore[call-arg]
