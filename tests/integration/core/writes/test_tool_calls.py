"""Tool calls: running, then completed or failed, or told whole when they are over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Postil, agent, errors

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)
T1 = datetime(2022, 3, 4, 5, 6, 9, 500000, tzinfo=UTC)


def test_a_tool_call_runs_and_completes_with_its_duration(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    started = postil.start_tool_call(
        run,
        "lookup",
        tool_call_id="c",
        kind="ai",
        arguments={"id": 7},
        stage_id="s",
        actor=agent("a"),
        recorded_at=T0,
    )
    assert (started.id, started.run_seq, started.created) == ("c", 3, True)
    assert postil.finish_tool_call(run, "c", result=None, recorded_at=T1).run_seq == 4
    (first, running), (last, ended) = record.events(run)[2:]
    assert (first, last) == ("tool_call:started", "tool_call:completed")
    same = {
        "id": "c",
        "kind": "ai",
        "name": "lookup",
        "attempt": 1,
        "stage_id": "s",
        "arguments": {"id": 7},
        "error": None,
    }
    same |= {
        "actor": {"kind": "agent", "id": "a", "version": None},
        "started_at": "2022-03-04T05:06:07.000000Z",
    }
    assert running == same | {"status": "running", "result": None, "ended_at": None, "duration_ms": None}
    assert ended == same | {
        "status": "completed",
        "result": None,
        "ended_at": "2022-03-04T05:06:09.500000Z",
        "duration_ms": 2500,
    }


def test_a_tool_call_that_is_over_is_one_event(postil: Postil, record: Any, run: str) -> None:
    done = postil.record_tool_call(
        run, "lookup", failed=True, error={"type": "X"}, duration_ms=1500.5, recorded_at=T1
    )
    assert done.created
    (type_, data) = record.events(run)[-1]
    assert (type_, data["id"], data["status"]) == ("tool_call:failed", done.id, "failed")
    assert (data["duration_ms"], data["started_at"]) == (1500.5, "2022-03-04T05:06:07.999500Z")
    assert postil.record_tool_call(run, "lookup").id != done.id, "a call without an id is another call"


def test_retries_change_nothing_and_other_content_is_refused(postil: Postil, record: Any, run: str) -> None:
    for again in (True, False):
        assert postil.start_tool_call(run, "t", tool_call_id="c", arguments=[1]).created is again
    for again in (True, False):
        assert postil.finish_tool_call(run, "c", result=1).created is again
    assert not postil.start_tool_call(run, "t", tool_call_id="c", arguments=[1]).created
    for again in (True, False):
        assert postil.record_tool_call(run, "u", tool_call_id="d", result=1).created is again
    before = record.traces()
    for refused in (
        lambda: postil.start_tool_call(run, "other", tool_call_id="c", arguments=[1]),
        lambda: postil.start_tool_call(run, "t", tool_call_id="c", arguments=[2]),
        lambda: postil.finish_tool_call(run, "c", result=2),
        lambda: postil.finish_tool_call(run, "c", failed=True, result=1),
        lambda: postil.record_tool_call(run, "u", tool_call_id="d", result=2),
    ):
        with pytest.raises(errors.ToolCallEnded) as told:
            refused()
        assert told.value.field == "tool_call_id"
    with pytest.raises(errors.ToolCallNotFound):
        postil.finish_tool_call(run, "unheard of")
    with pytest.raises(errors.StageNotFound):
        postil.start_tool_call(run, "t", stage_id="unheard of")
    assert record.traces() == before


def test_an_absurd_duration_keeps_the_calendar(postil: Postil, record: Any, run: str) -> None:
    postil.record_tool_call(run, "t", duration_ms=1e300, recorded_at=T0)
    assert record.events(run)[-1][1]["started_at"] == "2022-03-04T04:06:07.000000Z"


def test_a_call_that_began_after_it_ended_took_no_time(postil: Postil, record: Any, run: str) -> None:
    postil.start_tool_call(run, "t", tool_call_id="c", recorded_at=T1)
    postil.finish_tool_call(run, "c", recorded_at=T0)
    assert record.events(run)[-1][1]["duration_ms"] == 0


def test_a_call_ends_even_after_its_run_was_cancelled(postil: Postil, record: Any, run: str) -> None:
    postil.start_tool_call(run, "t", tool_call_id="c")
    postil.cancel_run(run)
    assert postil.finish_tool_call(run, "c", failed=True, error={"type": "Cancelled"}).created
    with pytest.raises(errors.RunCancelled):
        postil.start_tool_call(run, "t")
