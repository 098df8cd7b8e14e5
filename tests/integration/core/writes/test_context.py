"""The context of a write reaches each of its events, and the envelope that Kafka carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from postil import AsyncPostil, Context, Postil, errors, tool
from postil.postgres.writes.functions import FUNCTIONS

CONTEXT = Context("00-" + "4b" * 16 + "-" + "a1" * 8 + "-01", "message-7")

WRITES: dict[str, Callable[..., Any]] = {
    "Annotate": lambda p, r, **c: p.annotate(r, {"a": 1}, **c),
    "AnnotateMany": lambda p, r, **c: p.annotate_many({r: [{"a": 1}]}, **c),
    "CreateRun": lambda p, r, **c: p.create_run(f"{r}-new", {"a": 1}, **c),
    "StartRun": lambda p, r, **c: p.start_run(f"{r}-pending", **c),
    "FinishRun": lambda p, r, **c: p.finish_run(r, {"a": 1}, **c),
    "CancelRun": lambda p, r, **c: p.cancel_run(r, reason="because", **c),
    "StartStage": lambda p, r, **c: p.start_stage(r, "new", **c),
    "CompleteStage": lambda p, r, **c: p.complete_stage(r, "x", {"a": 1}, **c),
    "FailStage": lambda p, r, **c: p.fail_stage(r, "x", error={"type": "T", "message": "m"}, **c),
    "SuspendStage": lambda p, r, **c: p.suspend_stage(r, "x", **c),
    "ResumeStage": lambda p, r, **c: p.resume_stage(r, "suspended", **c),
    "StartToolCall": lambda p, r, **c: p.start_tool_call(r, "t", **c),
    "FinishToolCall": lambda p, r, **c: p.finish_tool_call(r, "x", **c),
    "RecordToolCall": lambda p, r, **c: p.record_tool_call(r, "t", **c),
    "Ask": lambda p, r, **c: p.ask(r, "?", **c),
    "ResolveInteraction": lambda p, r, **c: p.resolve_interaction(r, "x", {"outcome": "accept"}, **c),
    "RecordRuns": lambda p, r, **c: p.record_runs(
        [{"run_id": f"{r}-old", "steps": [{"type": "annotation:created", "key": "a", "value": "1"}]}], **c
    ),
    "CancelInteraction": lambda p, r, **c: p.cancel_interaction(r, "x", **c),
}


@pytest.fixture
def busy(postil: Postil, run: str) -> str:
    """A run with two stages, a tool call and a question; and a pending run."""
    postil.start_stage(run, "x")
    postil.start_stage(run, "suspended")
    postil.suspend_stage(run, "suspended")
    postil.start_tool_call(run, "t", tool_call_id="x")
    postil.ask(run, "?", interaction_id="x")
    postil.create_run(f"{run}-pending", pending=True)
    return run


def last_position(record: Any) -> int:
    """The position of the newest event."""
    return int(record.sql("select coalesce(max(position), 0) from postil.event")[0][0])


def contexts(record: Any, after: int) -> list[tuple[Any, Any]]:
    """The trace parent and the cause in the envelope of each event behind a position."""
    rows = record.sql(
        "select postil.envelope(e) from postil.event e where e.position > %s order by e.position", after
    )
    envelopes = [json.loads(text) for (text,) in rows]
    return [(envelope.get("traceparent"), envelope.get("causationid")) for envelope in envelopes]


def test_every_command_is_in_the_table() -> None:
    """Each command is tested here, because each takes a context."""
    assert set(WRITES) == {command.__name__ for command in FUNCTIONS}


@pytest.mark.parametrize("name", WRITES)
def test_every_event_of_a_write_carries_its_context(
    postil: Postil, record: Any, busy: str, name: str
) -> None:
    """The envelope of each event of the write has both attributes."""
    before = last_position(record)
    WRITES[name](postil, busy, context=CONTEXT)
    events = contexts(record, before)
    assert events
    assert set(events) == {(CONTEXT.traceparent, CONTEXT.causation_id)}


@pytest.mark.parametrize("name", WRITES)
async def test_an_async_write_carries_its_context(
    async_postil: AsyncPostil, record: Any, busy: str, name: str
) -> None:
    """The async client takes the same argument."""
    before = last_position(record)
    await WRITES[name](async_postil, busy, context=CONTEXT)
    events = contexts(record, before)
    assert events
    assert set(events) == {(CONTEXT.traceparent, CONTEXT.causation_id)}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_without_context_carries_none(postil: Postil, record: Any, busy: str, name: str) -> None:
    """Without a context the envelope has neither attribute."""
    before = last_position(record)
    WRITES[name](postil, busy)
    assert set(contexts(record, before)) == {(None, None)}


@tool
def double(number: int) -> int:
    return number * 2


@tool
async def double_async(number: int) -> int:
    return number * 2


def test_a_hosted_run_carries_its_context(postil: Postil, record: Any) -> None:
    """Each event of a hosted run has the run's context: stages, annotations, tool calls and questions too."""
    before = last_position(record)
    with postil.run("hosted", {"a": 1}, context=CONTEXT) as run:
        run.annotate({"b": 1})
        with run.stage("s") as stage:
            stage.annotate({"c": 1})
            stage.annotate({"d": 1}, durable=True)
            double(1)
        with pytest.raises(TimeoutError):
            run.ask("?", timeout=0)
    events = contexts(record, before)
    assert len(events) == 14
    assert set(events) == {(CONTEXT.traceparent, CONTEXT.causation_id)}


def test_a_failed_run_carries_its_context(postil: Postil, record: Any) -> None:
    """The events that record a failure have the run's context."""
    before = last_position(record)
    with pytest.raises(ZeroDivisionError), postil.run("hosted", context=CONTEXT) as run, run.stage("s"):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), postil.run("hosted", context=CONTEXT):
        raise KeyboardInterrupt
    assert set(contexts(record, before)) == {(CONTEXT.traceparent, CONTEXT.causation_id)}


async def test_an_async_hosted_run_carries_its_context(async_postil: AsyncPostil, record: Any) -> None:
    """As in the sync form."""
    before = last_position(record)
    async with async_postil.run("hosted", context=CONTEXT) as run, run.stage("s") as stage:
        stage.annotate({"a": 1})
        await stage.annotate_durable({"b": 1})
        await double_async(1)
    assert set(contexts(record, before)) == {(CONTEXT.traceparent, CONTEXT.causation_id)}


def test_another_type_of_context_is_refused(postil: Postil, run: str) -> None:
    """A dictionary is not a `Context`, because its parts were not checked."""
    with pytest.raises(errors.InvalidInput) as refused:
        postil.annotate(run, {"a": 1}, context={"causation_id": "c"})
    assert refused.value.field == "context"
