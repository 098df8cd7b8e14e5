"""A run's life and its stages: what each verb answers and the events it leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Decision, Postil, RunReceipt, Trigger, agent, errors, system, user

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_created_run_tells_everything_about_itself(postil: Postil, record: Any, run: str) -> None:
    new = f"{run}-new"
    done = postil.create_run(
        new,
        Decision(outcome="go"),
        name="refund",
        input={"order": 7},
        trigger=Trigger("schedule", "replay", "nightly"),
        parent_id=run,
        actor=agent("planner", "3"),
        metadata={"team": "x"},
        replay_of="run-0",
        recorded_at=T0,
    )
    assert (done.run_seq, done.created, [note.run_seq for note in done.annotations]) == (1, True, [2])
    (type_, data), (_, note) = record.events(new)
    assert type_ == "run:created"
    assert data == {
        "id": new,
        "name": "refund",
        "status": "running",
        "attempt": 1,
        "parent_id": run,
        "root_id": run,
        "depth": 1,
        "replay_of": "run-0",
        "trigger": {"source": "schedule", "action": "replay", "schedule_id": "nightly"},
        "root": {"source": "sdk", "schedule_id": None},
        "actor": {"kind": "agent", "id": "planner", "version": "3"},
        "input": {"order": 7},
        "result": None,
        "error": None,
        "metadata": {"team": "x"},
        "started_at": "2022-03-04T05:06:07.000000Z",
        "ended_at": None,
    }
    assert note["key"] == "decision.outcome"
    assert note["actor"]["id"] == "planner"


def test_the_roots_provenance_goes_down_the_tree(postil: Postil, record: Any, run: str) -> None:
    postil.create_run(f"{run}-0", trigger=Trigger("schedule", schedule_id="nightly"))
    postil.create_run(f"{run}-1", parent_id=f"{run}-0", trigger=Trigger("api"))
    postil.create_run(f"{run}-2", parent_id=f"{run}-1")
    rows = record.sql(
        "select root_id, depth, root_source, root_schedule_id, trigger_source from postil.run where id like %s order by id",
        f"{run}-%",
    )
    assert rows == [
        (f"{run}-0", 0, "schedule", "nightly", "schedule"),
        (f"{run}-0", 1, "schedule", "nightly", "api"),
        (f"{run}-0", 2, "schedule", "nightly", "sdk"),
    ]
    assert (
        record.one("select distinct root_run from postil.event where run_id = %s", f"{run}-2") == f"{run}-0"
    )


def test_creating_a_run_again_changes_nothing_and_another_under_its_id_is_refused(
    postil: Postil, record: Any, run: str
) -> None:
    new = f"{run}-new"
    create = {"name": "a", "input": {"x": 1}, "trigger": Trigger("api")}
    postil.create_run(new, **create)
    assert postil.create_run(new, {"note": 1}, **create) == RunReceipt(1, created=False)
    for other in ({"name": "b"}, {"input": {"x": 2}}, {"trigger": Trigger("cli")}, {"parent_id": run}):
        with pytest.raises(errors.RunExists) as refused:
            postil.create_run(new, **create | other)
        assert refused.value.field == "run_id"
    assert record.types(new) == ["run:created"]


def test_a_pending_run_starts_once(postil: Postil, record: Any, run: str) -> None:
    new = f"{run}-new"
    postil.create_run(new, pending=True)
    assert record.status(new) == "pending"
    assert postil.start_run(new, recorded_at=T0) == RunReceipt(2, created=True)
    assert postil.start_run(new) == RunReceipt(2, created=False)
    assert record.types(new) == ["run:created", "run:started"]
    assert record.events(new)[1][1]["started_at"] == "2022-03-04T05:06:07.000000Z"


@pytest.mark.parametrize("what", ["stage", "tool call", "question"])
def test_a_pending_run_starts_with_the_first_thing_that_happens_in_it(
    postil: Postil, record: Any, run: str, what: str
) -> None:
    new = f"{run}-new"
    postil.create_run(new, pending=True)
    match what:
        case "stage":
            postil.start_stage(new, "s")
        case "tool call":
            postil.record_tool_call(new, "t")
        case _:
            postil.ask(new, "ok?")
    assert record.types(new)[:2] == ["run:created", "run:started"]


def test_a_run_ends_completed_with_its_result_after_its_notes(postil: Postil, record: Any, run: str) -> None:
    done = postil.finish_run(run, {"a": 1}, result={"n": 1}, actor=user("ada"), recorded_at=T0)
    assert (done.run_seq, done.created, [note.run_seq for note in done.annotations]) == (3, True, [2])
    assert record.types(run) == ["run:created", "annotation:created", "run:completed"]
    _, data = record.events(run)[-1]
    assert (data["status"], data["result"], data["error"]) == ("completed", {"n": 1}, None)
    assert data["ended_at"] == "2022-03-04T05:06:07.000000Z"
    assert "input" not in data, "what never changes is told once"


def test_a_run_ends_failed_with_its_error(postil: Postil, record: Any, run: str) -> None:
    postil.finish_run(run, failed=True, error={"type": "Boom"})
    _, data = record.events(run)[-1]
    assert (record.types(run)[-1], data["status"], data["error"]) == (
        "run:failed",
        "failed",
        {"type": "Boom"},
    )


def test_ending_a_run_the_same_way_again_is_a_retry_and_another_way_is_refused(
    postil: Postil, record: Any, run: str
) -> None:
    postil.finish_run(run, result=1)
    assert postil.finish_run(run, result=1) == RunReceipt(2, created=False)
    for other in ({"result": 2}, {"failed": True, "result": 1}, {"error": {}, "result": 1}):
        with pytest.raises(errors.RunFinished):
            postil.finish_run(run, **other)
    with pytest.raises(errors.RunFinished):
        postil.finish_run(run, {"late": 1}, result=1)
    with pytest.raises(errors.RunFinished):
        postil.cancel_run(run)
    with pytest.raises(errors.RunFinished):
        postil.start_run(run)
    assert record.types(run) == ["run:created", "run:completed"]


def test_ending_a_run_ends_what_it_waits_for_and_works_on(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    postil.ask(run, "ok?", interaction_id="i")
    postil.start_tool_call(run, "t", tool_call_id="t")
    postil.finish_run(run)
    assert record.types(run)[5:] == ["interaction:cancelled", "stage:cancelled", "run:completed"]
    postil.finish_tool_call(run, "t", result=1)  # what happened, happened
    assert record.types(run)[-1] == "tool_call:completed"


def test_a_cancelled_run_says_why_and_takes_no_more_work(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    postil.cancel_run(run, reason="changed my mind", actor=user("ada"))
    assert record.types(run)[2:] == ["annotation:created", "stage:cancelled", "run:cancelled"]
    assert record.events(run)[2][1] | {"id": "", "group_id": ""} == record.events(run)[2][1] | {
        "id": "",
        "group_id": "",
        "key": "cancellation.reason",
        "value": "changed my mind",
    }
    assert not postil.cancel_run(run, reason="again").created
    before = record.traces()
    for refused in (
        lambda: postil.start_stage(run, "t"),
        lambda: postil.complete_stage(run, "s", {"a": 1}),
        lambda: postil.fail_stage(run, "s"),
        lambda: postil.suspend_stage(run, "s"),
        lambda: postil.start_tool_call(run, "t"),
        lambda: postil.record_tool_call(run, "t"),
        lambda: postil.ask(run, "?"),
        lambda: postil.finish_run(run),
        lambda: postil.start_run(run),
        lambda: postil.annotate(run, {"a": 1}, live=True),
    ):
        with pytest.raises(errors.RunCancelled):
            refused()
    assert record.traces() == before
    assert postil.annotate(run, {"from.outside": 1})[0].created


# ---------------------------------------------------------------------- stages


def test_a_stage_goes_from_running_to_completed_after_its_notes(
    postil: Postil, record: Any, run: str
) -> None:
    assert postil.start_stage(run, "triage", actor=system("worker", "1"), recorded_at=T0).created
    done = postil.complete_stage(run, "triage", Decision(outcome="x"), {"b": 1}, result=[1])
    assert (done.run_seq, [note.run_seq for note in done.annotations]) == (5, [3, 4])
    (_, started), first, second, (type_, ended) = record.events(run)[1:]
    assert started == {
        "id": "triage",
        "name": "triage",
        "status": "running",
        "attempt": 1,
        "actor": {"kind": "system", "id": "worker", "version": "1"},
        "result": None,
        "error": None,
        "started_at": "2022-03-04T05:06:07.000000Z",
        "ended_at": None,
    }
    assert type_ == "stage:completed"
    assert (ended["status"], ended["result"]) == ("completed", [1])
    for _, note in (first, second):
        assert (note["stage_id"], note["scope"], note["scope_id"]) == ("triage", "stage", "triage")


def test_a_failed_stage_keeps_its_notes_and_adds_its_failure(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    error = {"type": "Boom", "message": "it broke", "where": "here"}
    done = postil.fail_stage(run, "s", {"a": 1}, error=error)
    assert [note.run_seq for note in done.annotations] == [3, 4, 5]
    notes = [
        (data["key"], data["value"]) for type_, data in record.events(run) if type_ == "annotation:created"
    ]
    assert notes == [("a", 1), ("failure.type", "Boom"), ("failure.message", "it broke")]
    assert record.events(run)[-1][1]["error"] == error
    assert not postil.fail_stage(run, "s", error=error).created, "the same failure again is a retry"


def test_a_failure_too_long_for_a_value_is_cut_and_says_so(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    postil.fail_stage(run, "s", error={"type": ["no", "text"], "message": "\x1b" * 5000})
    values = [data["value"] for type_, data in record.events(run) if type_ == "annotation:created"]
    assert values == [["no", "text"], "\x1b" * 2000 + "… [3000 characters more]"]


@pytest.mark.parametrize("error", ["type", ["type"], 5])
def test_an_error_of_another_shape_adds_no_keys(postil: Postil, record: Any, run: str, error: Any) -> None:
    postil.start_stage(run, "s")
    postil.fail_stage(run, "s", error=error)
    assert record.types(run)[1:] == ["stage:started", "stage:failed"]


def test_a_stage_is_suspended_with_what_was_noted_and_resumed(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    assert postil.suspend_stage(run, "s", {"not.ready": 1}).created
    assert not postil.suspend_stage(run, "s").created
    assert postil.suspend_stage(run, "s", {"still.not.ready": 1}).created, "a poll's notes are kept"
    assert postil.resume_stage(run, "s").created
    assert not postil.resume_stage(run, "s").created
    assert postil.complete_stage(run, "s").created
    assert [t for t in record.types(run) if t.startswith("stage")] == [
        "stage:started",
        "stage:suspended",
        "stage:suspended",
        "stage:resumed",
        "stage:completed",
    ]


def test_a_retry_of_a_stage_changes_nothing_and_another_end_is_refused(
    postil: Postil, record: Any, run: str
) -> None:
    postil.start_stage(run, "s")
    assert not postil.start_stage(run, "s").created
    postil.complete_stage(run, "s", result=1)
    assert not postil.complete_stage(run, "s", result=1).created
    before = record.traces()
    for refused in (
        lambda: postil.complete_stage(run, "s", result=2),
        lambda: postil.complete_stage(run, "s", {"late": 1}, result=1),
        lambda: postil.fail_stage(run, "s"),
        lambda: postil.suspend_stage(run, "s"),
        lambda: postil.resume_stage(run, "s"),
        lambda: postil.start_stage(run, "s"),
        lambda: postil.start_stage(run, "other name", stage_id="s"),
    ):
        with pytest.raises(errors.StageEnded):
            refused()
    with pytest.raises(errors.StageNotFound):
        postil.complete_stage(run, "unheard of")
    assert record.traces() == before


def test_a_stage_of_a_finished_run_takes_nothing_more(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    postil.finish_run(run)
    with pytest.raises(errors.RunFinished):
        postil.complete_stage(run, "s")
    with pytest.raises(errors.RunFinished):
        postil.start_stage(run, "t")
