"""A run's life and its stages: the receipt that each verb returns and the events it writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Decision, Postil, RunReceipt, Trigger, agent, errors, system, user

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_run_created_has_every_field_of_the_run(postil: Postil, record: Any, run: str) -> None:
    """The event `run:created` has every field of the new run, and the run's annotations follow it."""
    new = f"{run}-new"
    receipt = postil.create_run(
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
    assert (receipt.run_seq, receipt.created, [annotation.run_seq for annotation in receipt.annotations]) == (
        1,
        True,
        [2],
    )
    (type_, data), (_, annotation) = record.events(new)
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
    assert annotation["key"] == "decision.outcome"
    assert annotation["actor"]["id"] == "planner"


def test_child_runs_inherit_the_provenance_of_their_root(postil: Postil, record: Any, run: str) -> None:
    """Each run of a tree stores its root, depth and the root's trigger in addition to its own trigger."""
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


def test_create_run_again_is_a_retry_only_if_it_is_the_same(postil: Postil, record: Any, run: str) -> None:
    """The same `create_run` again changes nothing, and another run under the same id raises `RunExists`."""
    new = f"{run}-new"
    create = {"name": "a", "input": {"x": 1}, "trigger": Trigger("api")}
    postil.create_run(new, **create)
    assert postil.create_run(new, {"note": 1}, **create) == RunReceipt(1, created=False)
    for other in ({"name": "b"}, {"input": {"x": 2}}, {"trigger": Trigger("cli")}, {"parent_id": run}):
        with pytest.raises(errors.RunExists) as caught:
            postil.create_run(new, **create | other)
        assert caught.value.field == "run_id"
    assert record.types(new) == ["run:created"]


def test_a_pending_run_starts_once(postil: Postil, record: Any, run: str) -> None:
    """The first `start_run` of a pending run writes `run:started`, and the second is a retry."""
    new = f"{run}-new"
    postil.create_run(new, pending=True)
    assert record.status(new) == "pending"
    assert postil.start_run(new, recorded_at=T0) == RunReceipt(2, created=True)
    assert postil.start_run(new) == RunReceipt(2, created=False)
    assert record.types(new) == ["run:created", "run:started"]
    assert record.events(new)[1][1]["started_at"] == "2022-03-04T05:06:07.000000Z"


@pytest.mark.parametrize("what", ["stage", "tool call", "question"])
def test_the_first_work_in_a_pending_run_starts_it(postil: Postil, record: Any, run: str, what: str) -> None:
    """A stage, a tool call or a question in a pending run writes `run:started` before its own event."""
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


def test_finish_run_stores_annotations_then_the_result(postil: Postil, record: Any, run: str) -> None:
    """`finish_run` writes its annotations, then `run:completed` with result and end, without repeating the input."""
    receipt = postil.finish_run(run, {"a": 1}, result={"n": 1}, actor=user("ada"), recorded_at=T0)
    assert (receipt.run_seq, receipt.created, [annotation.run_seq for annotation in receipt.annotations]) == (
        3,
        True,
        [2],
    )
    assert record.types(run) == ["run:created", "annotation:created", "run:completed"]
    _, data = record.events(run)[-1]
    assert (data["status"], data["result"], data["error"]) == ("completed", {"n": 1}, None)
    assert data["ended_at"] == "2022-03-04T05:06:07.000000Z"
    assert "input" not in data, "only run:created has the fields that never change"


def test_finish_run_stores_a_failure_with_its_error(postil: Postil, record: Any, run: str) -> None:
    """`finish_run(failed=True)` writes `run:failed` with the error."""
    postil.finish_run(run, failed=True, error={"type": "Boom"})
    _, data = record.events(run)[-1]
    assert (record.types(run)[-1], data["status"], data["error"]) == (
        "run:failed",
        "failed",
        {"type": "Boom"},
    )


def test_finish_run_again_is_a_retry_only_if_it_is_the_same(postil: Postil, record: Any, run: str) -> None:
    """The same `finish_run` again is a retry; another result, error, annotation or verb raises `RunFinished`."""
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


def test_finish_run_cancels_open_questions_and_stages(postil: Postil, record: Any, run: str) -> None:
    """`finish_run` cancels open questions and stages, while a running tool call may still be finished."""
    postil.start_stage(run, "s")
    postil.ask(run, "ok?", interaction_id="i")
    postil.start_tool_call(run, "t", tool_call_id="t")
    postil.finish_run(run)
    assert record.types(run)[5:] == ["interaction:cancelled", "stage:cancelled", "run:completed"]
    postil.finish_tool_call(run, "t", result=1)  # the call itself is not cancelled
    assert record.types(run)[-1] == "tool_call:completed"


def test_a_cancelled_run_stores_its_reason_and_refuses_work(postil: Postil, record: Any, run: str) -> None:
    """`cancel_run` stores its reason, then every verb of work raises `RunCancelled`; annotations stay possible."""
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
    for refused_call in (
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
            refused_call()
    assert record.traces() == before
    assert postil.annotate(run, {"from.outside": 1})[0].created


# ---------------------------------------------------------------------- stages


def test_complete_stage_stores_annotations_then_the_result(postil: Postil, record: Any, run: str) -> None:
    """`complete_stage` writes its annotations with the stage as scope, then `stage:completed` with the result."""
    assert postil.start_stage(run, "triage", actor=system("worker", "1"), recorded_at=T0).created
    receipt = postil.complete_stage(run, "triage", Decision(outcome="x"), {"b": 1}, result=[1])
    assert (receipt.run_seq, [annotation.run_seq for annotation in receipt.annotations]) == (5, [3, 4])
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
    for _, annotation in (first, second):
        assert (annotation["stage_id"], annotation["scope"], annotation["scope_id"]) == (
            "triage",
            "stage",
            "triage",
        )


def test_fail_stage_stores_annotations_and_the_failure(postil: Postil, record: Any, run: str) -> None:
    """`fail_stage` writes its annotations, the `failure.` keys of the error, and the error itself."""
    postil.start_stage(run, "s")
    error = {"type": "Boom", "message": "it broke", "where": "here"}
    receipt = postil.fail_stage(run, "s", {"a": 1}, error=error)
    assert [annotation.run_seq for annotation in receipt.annotations] == [3, 4, 5]
    annotations = [
        (data["key"], data["value"]) for type_, data in record.events(run) if type_ == "annotation:created"
    ]
    assert annotations == [("a", 1), ("failure.type", "Boom"), ("failure.message", "it broke")]
    assert record.events(run)[-1][1]["error"] == error
    assert not postil.fail_stage(run, "s", error=error).created, "the same failure again is a retry"


def test_a_long_failure_message_is_truncated_with_a_marker(postil: Postil, record: Any, run: str) -> None:
    """A failure message over the value limit is truncated, with a marker that counts the rest."""
    postil.start_stage(run, "s")
    postil.fail_stage(run, "s", error={"type": ["no", "text"], "message": "\x1b" * 5000})
    values = [data["value"] for type_, data in record.events(run) if type_ == "annotation:created"]
    assert values == [["no", "text"], "\x1b" * 2000 + "… [3000 characters more]"]


@pytest.mark.parametrize("error", ["type", ["type"], 5])
def test_an_error_that_is_not_an_object_adds_no_annotation(
    postil: Postil, record: Any, run: str, error: Any
) -> None:
    """A stage's error that is not an object adds no `failure.` annotation."""
    postil.start_stage(run, "s")
    postil.fail_stage(run, "s", error=error)
    assert record.types(run)[1:] == ["stage:started", "stage:failed"]


def test_a_stage_can_be_suspended_and_resumed(postil: Postil, record: Any, run: str) -> None:
    """A stage is suspended, also again with new annotations, resumed and completed; repetitions are retries."""
    postil.start_stage(run, "s")
    assert postil.suspend_stage(run, "s", {"not.ready": 1}).created
    assert not postil.suspend_stage(run, "s").created
    assert postil.suspend_stage(run, "s", {"still.not.ready": 1}).created, (
        "the annotations of each poll are stored"
    )
    assert postil.resume_stage(run, "s").created
    assert not postil.resume_stage(run, "s").created
    assert postil.complete_stage(run, "s").created
    assert [type_ for type_ in record.types(run) if type_.startswith("stage")] == [
        "stage:started",
        "stage:suspended",
        "stage:suspended",
        "stage:resumed",
        "stage:completed",
    ]


def test_an_ended_stage_takes_retries_and_refuses_changes(postil: Postil, record: Any, run: str) -> None:
    """The same end of a stage again is a retry, and any other verb on it raises `StageEnded`."""
    postil.start_stage(run, "s")
    assert not postil.start_stage(run, "s").created
    postil.complete_stage(run, "s", result=1)
    assert not postil.complete_stage(run, "s", result=1).created
    before = record.traces()
    for refused_call in (
        lambda: postil.complete_stage(run, "s", result=2),
        lambda: postil.complete_stage(run, "s", {"late": 1}, result=1),
        lambda: postil.fail_stage(run, "s"),
        lambda: postil.suspend_stage(run, "s"),
        lambda: postil.resume_stage(run, "s"),
        lambda: postil.start_stage(run, "s"),
        lambda: postil.start_stage(run, "other name", stage_id="s"),
    ):
        with pytest.raises(errors.StageEnded):
            refused_call()
    with pytest.raises(errors.StageNotFound):
        postil.complete_stage(run, "unknown")
    assert record.traces() == before


def test_a_finished_run_refuses_to_start_or_complete_a_stage(postil: Postil, record: Any, run: str) -> None:
    """A finished run refuses to complete its stage or to start another one."""
    postil.start_stage(run, "s")
    postil.finish_run(run)
    with pytest.raises(errors.RunFinished):
        postil.complete_stage(run, "s")
    with pytest.raises(errors.RunFinished):
        postil.start_stage(run, "t")
