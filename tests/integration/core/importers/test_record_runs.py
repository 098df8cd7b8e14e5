"""`record_runs` stores whole histories: the same events as single writes, each history once, all or nothing."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from postil import ImportedRun, Postil, errors

AT = "2022-03-04T05:06:{:02}Z"


def history(run_id: str, **fields: Any) -> dict[str, Any]:
    """Return a completed history of six steps, with some of its fields replaced."""
    return {
        "run_id": run_id,
        "name": "receipt",
        "status": "completed",
        "started_at": AT.format(0),
        "ended_at": AT.format(9),
        "actor": {"kind": "system", "id": "log"},
        "trigger": {"source": "import"},
        "result": {"n": 1},
        "steps": [
            {"type": "stage:started", "at": AT.format(1), "id": "s", "name": "Confirm", "actor": {"kind": "user", "id": "a"}},
            {
                "type": "tool_call:completed", "at": AT.format(2), "id": "t", "name": "bash", "kind": "tool", "stage_id": "s",
                "arguments": {"x": 1}, "result": "ok", "duration_ms": 500,
            },
            {"type": "annotation:created", "at": AT.format(3), "key": "decision.by", "value": 1, "stage_id": "s", "group": 0},
            {"type": "annotation:created", "at": AT.format(3), "key": "decision.rationale", "value": None, "group": 0},
            {"type": "stage:completed", "at": AT.format(4), "id": "s", "name": "Confirm", "result": [1]},
            {"type": "tool_call:failed", "at": AT.format(5), "id": "u", "name": "bash", "error": {"type": "E"}},
        ],
        **fields,
    }  # fmt: skip


@pytest.fixture
def run_id() -> str:
    """The id of a run that does not exist."""
    return f"history-{uuid.uuid4().hex[:12]}"


def test_a_history_becomes_a_run_with_one_event_per_step(postil: Postil, record: Any, run_id: str) -> None:
    """A history becomes a run with one event per step, in order, each with the step's time and the state at that step."""
    assert postil.record_runs([history(run_id)]) == [ImportedRun(run_id, 8, created=True)]
    assert record.types(run_id) == [
        "run:created", "stage:started", "tool_call:completed", "annotation:created", "annotation:created",
        "stage:completed", "tool_call:failed", "run:completed",
    ]  # fmt: skip
    created, started, called, decided, _, ended, failed, finished = [
        data for _, data in record.events(run_id)
    ]
    assert (created["status"], created["result"], created["ended_at"]) == ("running", None, None)
    assert created["trigger"] == {"source": "import", "action": "trigger", "schedule_id": None}
    assert (started["status"], started["result"], started["ended_at"]) == ("running", None, None)
    assert (called["started_at"], called["duration_ms"]) == ("2022-03-04T05:06:01.500000Z", 500)
    assert (decided["scope"], decided["scope_id"], decided["actor"]) == ("stage", "s", None)
    assert (ended["status"], ended["result"], ended["actor"]["id"]) == ("completed", [1], "a")
    assert (failed["status"], failed["error"]) == ("failed", {"type": "E"})
    assert (finished["status"], finished["result"]) == ("completed", {"n": 1})
    assert finished["ended_at"] == "2022-03-04T05:06:09.000000Z"
    groups = record.sql("select distinct group_id from postil.annotation where run_id = %s", run_id)
    assert len(groups) == 1
    times = record.sql(
        "select recorded_at::text from postil.event where run_id = %s order by run_seq", run_id
    )
    assert [time[-5:-3] for (time,) in times] == ["00", "01", "02", "03", "03", "04", "05", "09"]


def test_stored_rows_equal_the_last_event_of_each_object(postil: Postil, record: Any, run_id: str) -> None:
    """The rows of an imported run equal the data of the last event of each object."""
    postil.record_runs([history(run_id)])
    differing = record.sql(
        """
        select e.type, e.data, stored.data from postil.event e
        join (select 'stages/' || id as subject, postil._stage_data(s) as data from postil.stage s where run_id = %(run)s
              union all select 'tool-calls/' || id, postil._tool_call_data(t) from postil.tool_call t where run_id = %(run)s
              union all select 'annotations/' || id, postil._annotation_data(a) from postil.annotation a where run_id = %(run)s
              union all select 'runs/' || id, postil._run_data(r) from postil.run r where id = %(run)s) stored using (subject)
        where e.run_id = %(run)s and e.type not in ('run:created', 'stage:started') and e.data <> stored.data
        """.replace("%(run)s", f"'{run_id}'")
    )
    assert differing == []
    head = record.one("select head from postil.run where id = %s", run_id)
    assert head == len(record.events(run_id))


def test_recording_the_same_history_again_changes_nothing(postil: Postil, record: Any, run_id: str) -> None:
    """A history that is already stored is skipped, while the new ones of the same call are stored."""
    postil.record_runs([history(run_id)])
    before = record.traces()
    other = f"{run_id}-other"
    assert postil.record_runs([history(other, steps=[]), history(run_id)]) == [
        ImportedRun(other, 2, created=True),
        ImportedRun(run_id, 8, created=False),
    ]
    assert record.traces()[0] == before[0] + 2


@pytest.mark.parametrize("change", [{"steps": []}, {"status": "failed"}, {"result": None}, {"name": "x"}])
def test_a_changed_history_is_a_conflict(
    postil: Postil, record: Any, run_id: str, change: dict[str, Any]
) -> None:
    """A stored run with other content raises `IdempotencyConflict`, and the whole call stores nothing."""
    postil.record_runs([history(run_id)])
    before = record.traces()
    with pytest.raises(errors.IdempotencyConflict, match=run_id):
        postil.record_runs([history(f"{run_id}-new"), history(run_id, **change)])
    assert record.traces() == before


def test_a_run_that_was_not_imported_is_never_overwritten(postil: Postil, record: Any, run: str) -> None:
    """A history with the id of a run that was created live raises `IdempotencyConflict`."""
    with pytest.raises(errors.IdempotencyConflict, match=run):
        postil.record_runs([history(run)])
    assert record.types(run) == ["run:created"]


def test_two_histories_of_one_run_in_a_call_are_refused(postil: Postil, record: Any, run_id: str) -> None:
    """Two histories of the same run in one call raise `IdempotencyConflict`."""
    with pytest.raises(errors.IdempotencyConflict, match="twice"):
        postil.record_runs([history(run_id), history(run_id)])


def test_an_unfinished_history_can_be_continued_live(postil: Postil, record: Any, run_id: str) -> None:
    """A run imported with the status running takes live writes until it finishes."""
    steps = [{"type": "stage:started", "id": "s", "name": "s"}]
    postil.record_runs([{"run_id": run_id, "status": "running", "steps": steps}])
    postil.complete_stage(run_id, "s", {"a": 1})
    postil.finish_run(run_id)
    assert record.types(run_id) == [
        "run:created", "stage:started", "annotation:created", "stage:completed", "run:completed"
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_history_ends_with_its_status(postil: Postil, record: Any, run_id: str, status: str) -> None:
    """A failed or cancelled history ends with the event of its status."""
    postil.record_runs([{"run_id": run_id, "status": status}])
    assert record.types(run_id) == ["run:created", f"run:{status}"]


def test_an_empty_call_records_nothing(postil: Postil) -> None:
    """`record_runs` without histories returns an empty list."""
    assert postil.record_runs([]) == []


STEP = {"type": "stage:started", "id": "s", "name": "s"}
ANNOTATION = {"type": "annotation:created", "key": "a", "value": 1}
CALL = {"type": "tool_call:completed", "id": "t", "name": "t"}
BAD_STEPS: list[tuple[str, list[Any], str, type[errors.WriteRefused]]] = [
    ("not an object", ["x"], "[0]", errors.InvalidInput),
    ("no type", [{}], "[0].type", errors.InvalidInput),
    ("unknown type", [STEP, STEP | {"type": "stage:paused"}], "[1].type", errors.InvalidInput),
    ("no id", [{"type": "stage:started", "name": "s"}], "[0].id", errors.InvalidInput),
    ("a number for an id", [STEP | {"id": 5}], "[0].id", errors.InvalidInput),
    ("a long name", [STEP | {"name": "x" * 201}], "[0].name", errors.InvalidInput),
    ("an unknown field", [STEP | {"colour": 1}], "[0].colour", errors.InvalidInput),
    ("a field of another type of step", [STEP | {"arguments": 1}], "[0].arguments", errors.InvalidInput),
    ("an actor of wrong shape", [STEP | {"actor": "ada"}], "[0].actor", errors.InvalidInput),
    ("an actor without kind", [STEP, CALL | {"actor": {"id": "a"}}], "[1].actor.kind", errors.InvalidInput),
    ("a negative duration", [CALL | {"duration_ms": -1}], "[0].duration_ms", errors.InvalidInput),
    ("a duration in words", [CALL | {"duration_ms": "1"}], "[0].duration_ms", errors.InvalidInput),
    ("a key with capitals", [ANNOTATION | {"key": "A"}], "[0].key", errors.InvalidAnnotation),
    ("no value", [STEP, {"type": "annotation:created", "key": "a"}], "[1].value", errors.InvalidAnnotation),
    ("a large value", [ANNOTATION | {"value": "x" * 20_000}], "[0].value", errors.PayloadTooLarge),
    ("a large result", [CALL | {"result": "x" * 300_000}], "[0].result", errors.PayloadTooLarge),
    ("another attempt", [ANNOTATION | {"attempt": 2}], "[0].attempt", errors.InvalidAnnotation),
    ("a stage twice", [STEP, STEP], "[1]", errors.InvalidInput),
    ("a stage ended twice", [STEP | {"type": "stage:failed"}, STEP | {"type": "stage:completed"}], "[1]", errors.InvalidInput),
    ("a tool call twice", [CALL, ANNOTATION, CALL], "[2]", errors.InvalidInput),
    ("an idempotency key twice", [ANNOTATION | {"idempotency_key": "k"}] * 2, "[1]", errors.InvalidInput),
    ("not an RFC 3339 time", [STEP | {"at": "yesterday"}], "[0].at", errors.InvalidInput),
    ("a time without zone", [STEP, STEP | {"id": "x", "at": "2022-01-01T00:00:00"}], "[1].at", errors.InvalidInput),
    ("no such day", [STEP | {"at": "2022-02-30T00:00:00Z"}], "[0].at", errors.InvalidInput),
    ("no such zone", [STEP | {"at": "2022-02-03T00:00:00+99"}], "[0].at", errors.InvalidInput),
    ("the year 0", [STEP | {"at": "0000-01-01T00:00:00Z"}], "[0].at", errors.InvalidInput),
    ("a number for a time", [STEP | {"at": 5}], "[0].at", errors.InvalidInput),
    ("a malformed recorded_at", [ANNOTATION | {"recorded_at": "x"}], "[0].recorded_at", errors.InvalidInput),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "place", "error"), [case[1:] for case in BAD_STEPS], ids=[case[0] for case in BAD_STEPS]
)
def test_a_malformed_step_is_refused_with_its_path(
    postil: Postil, record: Any, run_id: str, steps: list[Any], place: str, error: type[errors.WriteRefused]
) -> None:
    """A malformed step raises the typed error with the path to its field, and the whole call stores nothing."""
    before = record.traces()
    with pytest.raises(error) as caught:
        postil.record_runs([history(f"{run_id}-good"), {"run_id": run_id, "steps": steps}])
    assert type(caught.value) is error
    assert caught.value.field == f"histories[1].steps{place}"
    assert record.traces() == before


BAD_HISTORIES: list[tuple[str, Any, str]] = [
    ("not an object", 5, ""),
    ("no run id", {}, ".run_id"),
    ("a number for a run id", {"run_id": 5}, ".run_id"),
    ("an empty run id", {"run_id": ""}, ".run_id"),
    ("a number for a name", {"run_id": "x", "name": 5}, ".name"),
    ("an unknown status", {"run_id": "x", "status": "pending"}, ".status"),
    ("an unknown field", {"run_id": "x", "colour": 1}, ".colour"),
    ("steps that are not a list", {"run_id": "x", "steps": {}}, ".steps"),
    ("a malformed time", {"run_id": "x", "ended_at": "10000-01-01T00:00:00Z"}, ".ended_at"),
    ("a large input", {"run_id": "x", "input": "x" * 300_000}, ".input"),
    (
        "an actor with an unknown field",
        {"run_id": "x", "actor": {"kind": "user", "name": "x"}},
        ".actor.name",
    ),
]


@pytest.mark.parametrize(
    ("bad", "place"), [case[1:] for case in BAD_HISTORIES], ids=[case[0] for case in BAD_HISTORIES]
)
def test_a_malformed_history_is_refused_with_its_path(
    postil: Postil, record: Any, run_id: str, bad: Any, place: str
) -> None:
    """A malformed history raises `InvalidInput` with the path to its field, and the whole call stores nothing."""
    before = record.traces()
    with pytest.raises(errors.InvalidInput) as caught:
        postil.record_runs([history(run_id), bad])
    assert caught.value.field == f"histories[1]{place}"
    assert record.traces() == before


def test_a_step_of_an_unknown_stage_is_refused(postil: Postil, record: Any, run_id: str) -> None:
    """A step that names a stage the history does not have raises `StageNotFound` and stores nothing."""
    before = record.traces()
    with pytest.raises(errors.StageNotFound, match=run_id):
        postil.record_runs([{"run_id": run_id, "steps": [ANNOTATION | {"stage_id": "unknown"}]}])
    assert record.traces() == before


def test_concurrent_imports_store_each_history_once(postil: Postil, record: Any, run_id: str) -> None:
    """Four threads that import the same histories in different order store each of them once, without a failure."""
    runs = [history(f"{run_id}-{n:02}") for n in range(20)]
    imported: list[ImportedRun] = []
    failures: list[BaseException] = []

    def write(order: list[Any]) -> None:
        try:
            imported.extend(postil.record_runs(order))
        except BaseException as error:  # noqa: BLE001 (the test's thread reports it)
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=(order,)) for order in (runs, runs[::-1], runs, runs[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(run.created for run in imported) == [False] * 60 + [True] * 20
    for run in runs:
        assert len(record.events(run["run_id"])) == 8
