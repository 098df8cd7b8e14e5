"""The comment of each SQL function names the SQLSTATEs that the function raises, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.types.json import Jsonb

from postil import NewAnnotation, Postil, user

Values = dict[str, Any]

LARGE = "x" * 300_000


class Runs(NamedTuple):
    """Ids of runs with a stage, a tool call and a question "x", and an annotation with the idempotency key "x"."""

    running: str
    cancelled: str
    finished: str


def annotation(**more: object) -> list[dict[str, object]]:
    """Return a list of one annotation."""
    return [{"key": "a", "value": 1, **more}]


def history(*steps: dict[str, object], **more: object) -> list[dict[str, object]]:
    """Return a list of one history."""
    return [{"run_id": "documented", "steps": list(steps), **more}]


@pytest.fixture(scope="module")
def runs(postil: Postil) -> Runs:
    """A running, a cancelled and a finished run."""
    runs = Runs("documented-running", "documented-cancelled", "documented-finished")
    for run in runs:
        postil.create_run(run)
        postil.annotate(run, NewAnnotation("a", 2, idempotency_key="x"))
        for part in ("x", "ended"):
            postil.start_stage(run, part)
            postil.start_tool_call(run, "t", tool_call_id=part)
            postil.ask(run, "?", interaction_id=part, kind="question")
        postil.start_stage(run, "suspended")
        postil.suspend_stage(run, "suspended")
        postil.complete_stage(run, "ended")
        postil.finish_tool_call(run, "ended", result=1)
        postil.resolve_interaction(run, "ended", 1, actor=user("dana"))
    postil.cancel_run(runs.cancelled)
    postil.finish_run(runs.finished)
    return runs


BASE: dict[str, Values] = {
    "annotate": {"annotations": annotation()},
    "ask": {"prompt": "?"},
    "cancel_interaction": {"interaction_id": "x"},
    "cancel_run": {},
    "complete_stage": {"stage_id": "x"},
    "create_run": {"run_id": "documented"},
    "create_tenant": {},
    "extend_log": {},
    "fail_stage": {"stage_id": "x"},
    "finish_run": {},
    "finish_tool_call": {"tool_call_id": "x"},
    "record_runs": {"histories": history()},
    "record_tool_call": {"name": "t"},
    "resolve_interaction": {"interaction_id": "x", "answer": 1},
    "resume_stage": {"stage_id": "suspended"},
    "start_run": {},
    "start_stage": {"name": "n"},
    "start_tool_call": {"name": "t"},
    "suspend_stage": {"stage_id": "x"},
}
"""What each function gets in addition to `tenant` and `run_id`. The call succeeds."""


def inputs(runs: Runs) -> list[Values]:
    """Return the faults. Each is tried with every function that has its parameters."""
    return [
        {"run_id": "unknown"}, {"parent_id": "unknown"},
        *({"run_id": run, **more} for run in runs[1:] for more in ({}, {"live": True})),
        {"run_id": runs.running, "parent_id": None, "name": "another"},
        {"annotations": [{}]}, {"annotations": annotation(payload=LARGE)},
        {"annotations": annotation(stage_id="unknown")}, {"annotations": annotation(idempotency_key="x")},
        {"annotations": annotation(idempotency_key="y") + annotation(idempotency_key="y", payload=1)},
        {"result": LARGE}, {"error": LARGE}, {"input": LARGE}, {"arguments": LARGE}, {"answer": LARGE}, {"reason": LARGE},
        *({name: part} for name in ("stage_id", "tool_call_id", "interaction_id") for part in ("unknown", "ended")),
        {"tool_call_id": "ended", "status": "failed"}, {"tool_call_id": "x", "name": "another"},
        {"interaction_id": "x", "prompt": "another"}, {"interaction_id": "ended", "answer": 2},
        {"stage_id": "x", "name": "another"}, {"stage_id": "ended", "result": 2}, {"run_id": runs.finished, "result": 2},
        {"context": 5}, {"actor": 5}, {"status": "?"}, {"ahead": -1}, {"tenant": "nowhere"}, {"tenant": "?"},
        {"histories": 2 * history()}, {"histories": history({"type": "annotation:created"})},
        {"histories": history({"type": "stage:started", "id": "s", "name": "s", "result": LARGE})},
        {"histories": history({"type": "tool_call:completed", "id": "t", "name": "t", "stage_id": "unknown"})},
    ]  # fmt: skip


SESSIONS = ["set local synchronous_commit = off", "set local postil.tenant = 'another'"]


def valid_call(runs: Runs, name: str, parameters: set[str]) -> Values:
    """Return the arguments with which a function succeeds."""
    values = {"tenant": "default", "run_id": runs.running, **BASE[name]}
    return {key: value for key, value in values.items() if key in parameters}


def calls(runs: Runs, name: str, parameters: set[str]) -> Iterator[tuple[str, Values]]:
    """Yield the calls of a function that have a fault, each with the statement that prepares the session."""
    valid = valid_call(runs, name, parameters)
    for session in SESSIONS:
        yield session, valid
    for fault in inputs(runs):
        if fault.keys() <= parameters:
            yield "select 1", valid | fault


def raised(connection: psycopg.Connection[Any], name: str, session: str, values: Values) -> str | None:
    """Return the SQLSTATE that a call raises; None if the call succeeds. Nothing stays stored."""
    arguments = ", ".join(f"{key} => %({key})s" for key in values)
    adapted = {
        key: Jsonb(value) if isinstance(value, (list, dict)) or key in JSON else value
        for key, value in values.items()
    }
    try:
        connection.execute(session)
        connection.execute(f"select * from postil.{name}({arguments})", adapted)
    except psycopg.Error as error:
        return error.sqlstate
    finally:
        connection.rollback()
    return None


JSON = {
    "annotations",
    "result",
    "error",
    "input",
    "arguments",
    "answer",
    "context",
    "actor",
    "batch",
    "histories",
}

COMMENT = """
select pg_get_function_arguments(oid), obj_description(oid) from pg_proc
 where pronamespace = 'postil'::regnamespace and proname = %s
"""


def documented(connection: psycopg.Connection[Any], name: str) -> tuple[set[str], set[str]]:
    """Return a function's parameters, and the SQLSTATEs that its comment names."""
    row = connection.execute(COMMENT, [name]).fetchone()
    assert row is not None
    return {part.split()[0] for part in row[0].split(", ")}, set(re.findall(r"PS\d{3}", row[1]))


@pytest.mark.parametrize("name", BASE)
def test_the_comment_names_the_raised_sqlstates(write_url: str, runs: Runs, name: str) -> None:
    """Over all inputs with a fault, a function raises exactly the SQLSTATEs that its comment names."""
    with psycopg.connect(write_url) as connection:
        parameters, named = documented(connection, name)
        assert raised(connection, name, "select 1", valid_call(runs, name, parameters)) is None
        states = {
            raised(connection, name, session, values) for session, values in calls(runs, name, parameters)
        }
    assert states - {None} == named


def test_annotate_many_raises_what_annotate_raises(write_url: str, runs: Runs) -> None:
    """A batch of one entry raises the SQLSTATE that `annotate` raises for the same input."""
    with psycopg.connect(write_url) as connection:
        parameters, _ = documented(connection, "annotate")
        for session, values in calls(runs, "annotate", parameters):
            whole = {key: values[key] for key in ("tenant", "context") if key in values}
            entry = {key: value for key, value in values.items() if key not in whole}
            assert raised(connection, "annotate_many", session, {**whole, "batch": [entry]}) == raised(
                connection, "annotate", session, values
            ), values


def test_each_function_with_sqlstates_is_tried(record: Any) -> None:
    """Each public function whose comment names SQLSTATEs is in the table of this test."""
    query = "select proname from pg_proc where pronamespace = 'postil'::regnamespace and obj_description(oid) ~ 'PS0'"
    assert {name for (name,) in record.sql(query)} == set(BASE)
