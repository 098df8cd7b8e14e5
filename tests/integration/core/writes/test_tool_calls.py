"""Tool calls: started and finished in two writes, or recorded in one after their end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Postil, agent, errors

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)
T1 = datetime(2022, 3, 4, 5, 6, 9, 500000, tzinfo=UTC)


def test_a_tool_call_stores_its_start_end_and_duration(postil: Postil, record: Any, run: str) -> None:
    """A tool call writes an event at its start and one at its end, with the time between as its duration."""
    postil.start_stage(run, "s")
    receipt = postil.start_tool_call(
        run,
        "lookup",
        tool_call_id="c",
        kind="ai",
        arguments={"id": 7},
        stage_id="s",
        actor=agent("a"),
        recorded_at=T0,
    )
    assert (receipt.id, receipt.run_seq, receipt.created) == ("c", 3, True)
    assert postil.finish_tool_call(run, "c", result=None, recorded_at=T1).run_seq == 4
    (first, running), (last, ended) = record.events(run)[2:]
    assert (first, last) == ("tool_call:started", "tool_call:completed")
    common = {
        "id": "c",
        "kind": "ai",
        "name": "lookup",
        "attempt": 1,
        "stage_id": "s",
        "arguments": {"id": 7},
        "error": None,
    }
    common |= {
        "actor": {"kind": "agent", "id": "a", "version": None},
        "started_at": "2022-03-04T05:06:07.000000Z",
    }
    assert running == common | {"status": "running", "result": None, "ended_at": None, "duration_ms": None}
    assert ended == common | {
        "status": "completed",
        "result": None,
        "ended_at": "2022-03-04T05:06:09.500000Z",
        "duration_ms": 2500,
    }


def test_record_tool_call_writes_one_event(postil: Postil, record: Any, run: str) -> None:
    """`record_tool_call` writes one event with the start computed from end and duration, and chooses an id."""
    receipt = postil.record_tool_call(
        run, "lookup", failed=True, error={"type": "X"}, duration_ms=1500.5, recorded_at=T1
    )
    assert receipt.created
    (type_, data) = record.events(run)[-1]
    assert (type_, data["id"], data["status"]) == ("tool_call:failed", receipt.id, "failed")
    assert (data["duration_ms"], data["started_at"]) == (1500.5, "2022-03-04T05:06:07.999500Z")
    assert postil.record_tool_call(run, "lookup").id != receipt.id, "each call without an id gets a new one"


def test_tool_calls_take_retries_and_refuse_other_content(postil: Postil, record: Any, run: str) -> None:
    """The same call again is a retry; other content under its id raises `ToolCallEnded` and stores nothing."""
    for is_first in (True, False):
        assert postil.start_tool_call(run, "t", tool_call_id="c", arguments=[1]).created is is_first
    for is_first in (True, False):
        assert postil.finish_tool_call(run, "c", result=1).created is is_first
    assert not postil.start_tool_call(run, "t", tool_call_id="c", arguments=[1]).created
    for is_first in (True, False):
        assert postil.record_tool_call(run, "u", tool_call_id="d", result=1).created is is_first
    before = record.traces()
    for refused_call in (
        lambda: postil.start_tool_call(run, "other", tool_call_id="c", arguments=[1]),
        lambda: postil.start_tool_call(run, "t", tool_call_id="c", arguments=[2]),
        lambda: postil.finish_tool_call(run, "c", result=2),
        lambda: postil.finish_tool_call(run, "c", failed=True, result=1),
        lambda: postil.record_tool_call(run, "u", tool_call_id="d", result=2),
    ):
        with pytest.raises(errors.ToolCallEnded) as caught:
            refused_call()
        assert caught.value.field == "tool_call_id"
    with pytest.raises(errors.ToolCallNotFound):
        postil.finish_tool_call(run, "unknown")
    with pytest.raises(errors.StageNotFound):
        postil.start_tool_call(run, "t", stage_id="unknown")
    assert record.traces() == before


def test_the_computed_start_of_a_tool_call_is_limited(postil: Postil, record: Any, run: str) -> None:
    """A duration longer than the calendar gives a start at most one hour before the end."""
    postil.record_tool_call(run, "t", duration_ms=1e300, recorded_at=T0)
    assert record.events(run)[-1][1]["started_at"] == "2022-03-04T04:06:07.000000Z"


def test_a_duration_is_never_negative(postil: Postil, record: Any, run: str) -> None:
    """A tool call whose end is before its start has a duration of 0."""
    postil.start_tool_call(run, "t", tool_call_id="c", recorded_at=T1)
    postil.finish_tool_call(run, "c", recorded_at=T0)
    assert record.events(run)[-1][1]["duration_ms"] == 0


def test_a_tool_call_can_end_after_its_run_was_cancelled(postil: Postil, record: Any, run: str) -> None:
    """A cancelled run accepts the end of a running tool call and refuses a new call."""
    postil.start_tool_call(run, "t", tool_call_id="c")
    postil.cancel_run(run)
    assert postil.finish_tool_call(run, "c", failed=True, error={"type": "Cancelled"}).created
    with pytest.raises(errors.RunCancelled):
        postil.start_tool_call(run, "t")
