"""The rows that the SQL write functions return: the thing written first, then the annotations written with it."""

from __future__ import annotations

from typing import Any

import pytest

from postil import Postil

TWO = '[{"key": "a", "value": 1}, {"key": "b", "value": 2}]'
APPROVAL = '{"outcome": "accept", "note": "fine"}'

# Per write: the call, kind and id of its first row, and the keys of the annotations that follow.
WRITES = {
    "create_run": (
        f"create_run('default', 'new-' || %(run)s, annotations => '{TWO}')",
        "run",
        "new-{run}",
        "ab",
    ),
    "start_run": ("start_run('default', %(run)s)", "run", "{run}", ""),
    "finish_run": (f"finish_run('default', %(run)s, annotations => '{TWO}')", "run", "{run}", "ab"),
    "cancel_run": ("cancel_run('default', %(run)s, 'late')", "run", "{run}", ["cancellation.reason"]),
    "start_stage": ("start_stage('default', %(run)s, 's')", "stage", "s", ""),
    "complete_stage": (f"complete_stage('default', %(run)s, 'x', '{TWO}')", "stage", "x", "ab"),
    "fail_stage": (
        f"""fail_stage('default', %(run)s, 'x', '{{"type": "T", "message": "m"}}', '{TWO}')""",
        "stage",
        "x",
        ["a", "b", "failure.type", "failure.message"],
    ),
    "suspend_stage": (f"suspend_stage('default', %(run)s, 'x', '{TWO}')", "stage", "x", "ab"),
    "start_tool_call": ("start_tool_call('default', %(run)s, 't', 'c')", "tool_call", "c", ""),
    "finish_tool_call": ("finish_tool_call('default', %(run)s, 'x')", "tool_call", "x", ""),
    "record_tool_call": ("record_tool_call('default', %(run)s, 't', 'c')", "tool_call", "c", ""),
    "ask": ("ask('default', %(run)s, '?', 'i')", "interaction", "i", ""),
    "resolve_interaction": (
        f"resolve_interaction('default', %(run)s, 'x', '{APPROVAL}', null, '{TWO}')",
        "interaction",
        "x",
        ["a", "b", "approval.outcome", "approval.approvers", "approval.timestamp", "approval.note"],
    ),
    "cancel_interaction": ("cancel_interaction('default', %(run)s, 'x')", "interaction", "x", ""),
}


@pytest.fixture
def busy(postil: Postil, run: str) -> str:
    """A run with a stage, a tool call and an approval, each with the id "x"."""
    postil.start_stage(run, "x")
    postil.start_tool_call(run, "t", tool_call_id="x")
    postil.ask(run, "?", interaction_id="x")
    return run


def rows_of(record: Any, call: str, run: str) -> list[tuple[Any, ...]]:
    """Return the receipts of one call of a write function."""
    rows: list[tuple[Any, ...]] = record.sql(f"select * from postil.{call}".replace("%(run)s", f"'{run}'"))
    return rows


@pytest.mark.parametrize("write", WRITES)
def test_first_row_is_the_thing_written(record: Any, busy: str, write: str) -> None:
    """A write returns the receipt of its run, stage, call or interaction first, then its annotations in order."""
    call, kind, id_, keys = WRITES[write]
    own, *annotations = rows_of(record, call, busy)
    assert own[:2] == (kind, id_.format(run=busy))
    run = own[1] if write == "create_run" else busy
    events = {seq: data for seq, (_, data) in enumerate(record.events(run), start=1)}
    assert own[3] is (write != "start_run")
    assert [row[0] for row in annotations] == ["annotation"] * len(keys)
    assert [events[row[2]]["id"] for row in annotations] == [row[1] for row in annotations]
    assert [events[row[2]]["key"] for row in annotations] == list(keys)


def test_annotate_returns_one_row_per_annotation(record: Any, run: str) -> None:
    """`annotate` returns a receipt for each annotation, in the order given, and no other row."""
    rows = rows_of(record, f"annotate('default', %(run)s, '{TWO}')", run)
    events = record.events(run)
    assert rows == [
        ("annotation", events[1][1]["id"], 2, True),
        ("annotation", events[2][1]["id"], 3, True),
    ]


def test_a_batch_names_the_run_of_each_receipt(record: Any, run: str) -> None:
    """`annotate_many` returns the run's id in front of each receipt, also where a run occurs twice."""
    batch = f"""[{{"run_id": "{run}", "annotations": {TWO}}}, {{"run_id": "{run}", "annotations": {TWO}}}]"""
    rows = rows_of(record, f"annotate_many('default', '{batch}')", run)
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        (run, "annotation", run_seq, True) for run_seq in (2, 3, 4, 5)
    ]


def test_record_runs_returns_a_row_per_history(record: Any) -> None:
    """`record_runs` returns run, number of events and whether this call stored it."""
    call = """record_runs('default', '[{"run_id": "imported", "steps": []}]')"""
    assert rows_of(record, call, "") == [("imported", 2, True)]
    assert rows_of(record, call, "") == [("imported", 2, False)]
