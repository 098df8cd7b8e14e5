"""Annotations: what is stored, what each call answers, and what the log says of it."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from postil import (
    Approval,
    AsyncPostil,
    Decision,
    Failure,
    NewAnnotation,
    Postil,
    Receipt,
    Revision,
    agent,
    errors,
    user,
)


def test_a_decision_expands_to_its_keys_in_order_and_leaves_out_what_was_not_said(
    postil: Postil, record: Any, run: str
) -> None:
    done = postil.annotate(
        run, Decision(outcome="refund", rationale="duplicate", confidence=0.93), actor=agent("triage", "2.1")
    )
    assert [(one.run_seq, one.created) for one in done] == [(2, True), (3, True), (4, True)]
    _, *events = record.events(run)
    assert [(data["key"], data["value"]) for _, data in events] == [
        ("decision.outcome", "refund"),
        ("decision.rationale", "duplicate"),
        ("decision.confidence", 0.93),
    ]
    assert {data["actor"]["version"] for _, data in events} == {"2.1"}
    assert {data["group_id"] for _, data in events} == {str(done[0].id)}, "the group is named by its first"


def test_the_event_says_all_of_the_row_and_keeps_its_nulls(postil: Postil, record: Any, run: str) -> None:
    (done,) = postil.annotate(run, {"a.key": None})
    (_, (type_, data)) = record.events(run)
    assert type_ == "annotation:created"
    assert data == {
        "id": str(done.id),
        "key": "a.key",
        "value": None,
        "payload": None,
        "actor": None,
        "scope": "run",
        "scope_id": None,
        "stage_id": None,
        "attempt": 1,
        "try": None,
        "group_id": str(done.id),
        "idempotency_key": None,
    }
    subject = record.one("select subject from postil.event where run_id = %s and run_seq = 2", run)
    assert subject == f"annotations/{done.id}"


def test_every_field_of_a_note_is_stored_and_told(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    note = NewAnnotation(
        "a",
        {"deep": [1, 2.5, "ü", None, True]},
        payload={"p": 1},
        actor=user("ada"),
        scope="tool_call",
        scope_id="call-1",
        stage_id="s",
        attempt=1,
        try_=3,
        idempotency_key="once",
    )
    postil.annotate(run, note, actor=agent("other"))
    _, data = record.events(run)[-1]
    assert {name: value for name, value in data.items() if name not in {"id", "group_id"}} == {
        "key": "a",
        "value": {"deep": [1, 2.5, "ü", None, True]},
        "payload": {"p": 1},
        "actor": {"kind": "user", "id": "ada", "version": None},
        "scope": "tool_call",
        "scope_id": "call-1",
        "stage_id": "s",
        "attempt": 1,
        "try": 3,
        "idempotency_key": "once",
    }


def test_a_dictionary_and_conventions_and_notes_go_in_one_statement_in_the_order_said(
    postil: Postil, record: Any, run: str
) -> None:
    done = postil.annotate(
        run,
        {"z": 1, "a": 2},
        Approval(approvers=["ada"]),
        NewAnnotation("m", 3),
        Revision(previous_run_id="r0"),
    )
    assert [one.run_seq for one in done] == [2, 3, 4, 5, 6]
    assert record.keys(run) == ["z", "a", "approval.approvers", "m", "revision.previous_run_id"]


def test_two_conventions_in_one_call_are_two_groups_and_single_keys_are_groups_of_their_own(
    postil: Postil, record: Any, run: str
) -> None:
    first = Decision(outcome="a", rationale="b", payload={"evidence": 1})
    second = Failure(type="x", message="y", payload=None)
    postil.annotate(run, first, {"k": 1, "l": 2}, second)
    rows = record.sql(
        "select key, group_id, payload, payload is null from postil.annotation where run_id = %s order by run_seq",
        run,
    )
    groups = [row[1] for row in rows]
    assert groups[0] == groups[1]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 4
    assert [(row[2], row[3]) for row in rows] == [
        ({"evidence": 1}, False),
        (None, True),
        (None, True),
        (None, True),
        (None, False),  # a payload that says null
        (None, True),
    ], "a payload belongs to its group once"


def test_saying_nothing_records_nothing(postil: Postil, record: Any, run: str) -> None:
    assert postil.annotate(run) == []
    assert postil.annotate(run, {}) == []
    assert record.types(run) == ["run:created"]


def test_when_it_was_said_is_kept_beside_when_it_was_stored(postil: Postil, record: Any, run: str) -> None:
    said = datetime(2020, 2, 29, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    earlier = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    postil.annotate(run, {"a": 1}, NewAnnotation("b", 2, recorded_at=earlier), recorded_at=said)
    rows = record.sql(
        "select a.recorded_at, e.recorded_at, a.created_at = e.created_at, a.created_at > now() - interval '1 hour'"
        " from postil.annotation a join postil.event e using (tenant, run_id, run_seq)"
        " where run_id = %s order by run_seq",
        run,
    )
    assert rows == [(said, said, True, True), (earlier, earlier, True, True)]


def test_annotations_are_possible_on_a_run_of_any_status_unless_a_live_one_is_asked_for(
    postil: Postil, record: Any, run: str
) -> None:
    postil.finish_run(run)
    postil.annotate(run, {"afterwards": 1})
    with pytest.raises(errors.RunFinished):
        postil.annotate(run, {"live": 1}, live=True)
    assert record.keys(run) == ["afterwards"]


# ---------------------------------------------------------------------- once, however often it is said


def test_a_retry_answers_what_is_stored_and_emits_nothing(postil: Postil, record: Any, run: str) -> None:
    say = {"a": {"x": 1.0}, "b": [2]}
    first = postil.annotate(run, say, actor=user("ada"), idempotency_key="hook-1")
    again = postil.annotate(run, say, actor=user("ada"), idempotency_key="hook-1")
    assert [one.created for one in first] == [True, True]
    assert again == [Receipt(one.id, one.run_seq, created=False) for one in first]
    assert record.keys(run) == ["a", "b"]


@pytest.mark.parametrize(
    "other",
    [
        NewAnnotation("a", 2),
        NewAnnotation("a", 1, payload={}),
        NewAnnotation("a", 1, payload=None),
        NewAnnotation("a", 1, scope="ai_call"),
        NewAnnotation("a", 1, actor=user("bob")),
    ],
)
def test_other_content_under_the_same_key_is_a_conflict_that_tells_both(
    postil: Postil, record: Any, run: str, other: NewAnnotation
) -> None:
    (stored,) = postil.annotate(run, NewAnnotation("a", 1), idempotency_key="k")
    before = record.traces()
    with pytest.raises(errors.IdempotencyConflict) as refused:
        postil.annotate(run, {"fresh": 1}, other, idempotency_key="k")
    assert run in refused.value.what
    assert "'k'" in refused.value.what
    assert str(stored.id) in refused.value.what
    assert "run_seq 2" in refused.value.what
    assert refused.value.field == "annotations[1]"
    assert record.traces() == before


def test_the_same_idempotency_key_serves_many_keys_and_many_runs(
    postil: Postil, record: Any, run: str
) -> None:
    postil.create_run(other := f"{run}-other")
    for run_id in (run, other):
        for key in ("a", "b"):
            (done,) = postil.annotate(run_id, {key: 1}, idempotency_key="k")
            assert done.created


def test_a_key_said_twice_in_one_call_is_stored_once(postil: Postil, record: Any, run: str) -> None:
    one, two, three = postil.annotate(run, {"a": 1}, {"a": 1}, {"b": 1}, idempotency_key="k")
    assert (one.id, one.run_seq) == (two.id, two.run_seq)
    assert [one.created, two.created, three.created] == [True, False, True]
    assert record.keys(run) == ["a", "b"]
    with pytest.raises(errors.IdempotencyConflict, match="twice in this call"):
        postil.annotate(run, {"c": 1}, {"c": 2}, idempotency_key="k")


def test_fresh_and_stored_annotations_mix_and_numbers_stay_gapless(
    postil: Postil, record: Any, run: str
) -> None:
    old = [postil.annotate(run, {key: 1}, idempotency_key="k")[0] for key in ("b", "d")]
    done = postil.annotate(run, dict.fromkeys("abcde", 1), {"f": 1}, idempotency_key="k")
    assert [one.created for one in done] == [True, False, True, False, True, True]
    assert [done[1].id, done[3].id] == [one.id for one in old]
    assert [one.run_seq for one in done] == [4, 2, 5, 3, 6, 7]
    assert record.keys(run) == ["b", "d", "a", "c", "e", "f"]


def test_a_note_keeps_its_own_idempotency_key_and_takes_the_calls_where_it_has_none(
    postil: Postil, record: Any, run: str
) -> None:
    postil.annotate(
        run, NewAnnotation("a", 1, idempotency_key="own"), NewAnnotation("b", 1), idempotency_key="call"
    )
    stored = record.sql(
        "select key, idempotency_key from postil.annotation where run_id = %s order by run_seq", run
    )
    assert stored == [("a", "own"), ("b", "call")]


def test_inside_a_stage_the_key_is_the_stages_own(postil: Postil, record: Any, run: str) -> None:
    for stage in ("one", "two"):
        postil.start_stage(run, stage)
        (done,) = postil.annotate(run, {"a": stage}, stage_id=stage, idempotency_key="k")
        assert done.created
    (done,) = postil.annotate(run, {"a": "outside"}, idempotency_key="k")
    assert done.created
    (done,) = postil.annotate(run, {"a": "two"}, stage_id="two", idempotency_key="k")
    assert not done.created
    both = [NewAnnotation("b", stage, stage_id=stage) for stage in ("one", "two")]
    assert [one.created for one in postil.annotate(run, *both, idempotency_key="k")] == [True, True]


def test_inside_a_stage_the_key_is_the_attempts_own_so_that_a_rerun_loses_nothing(
    postil: Postil, record: Any, run: str
) -> None:
    postil.start_stage(run, "s")
    postil.annotate(run, {"a": "first"}, stage_id="s", idempotency_key="k")
    postil.annotate(run, {"b": "first"}, idempotency_key="k")
    record.sql("update postil.run set attempt = 2 where id = %s", run)  # reruns have no verb yet
    postil.start_stage(run, "s")
    (inside,) = postil.annotate(run, {"a": "second"}, stage_id="s", idempotency_key="k")
    assert inside.created
    with pytest.raises(errors.IdempotencyConflict):
        postil.annotate(run, {"b": "second"}, idempotency_key="k")


def test_the_attempt_is_the_runs_current_one_unless_another_is_named(
    postil: Postil, record: Any, run: str
) -> None:
    record.sql("update postil.run set attempt = 2 where id = %s", run)  # reruns have no verb yet
    postil.annotate(run, NewAnnotation("now", 1), NewAnnotation("before", 1, attempt=1))
    told = record.sql(
        "select data ->> 'key', attempt, (data ->> 'attempt')::int from postil.event where run_id = %s order by run_seq",
        run,
    )
    assert told[1:] == [("now", 2, 2), ("before", 1, 1)]


def test_thousands_of_annotations_with_a_key_take_one_pass(postil: Postil, record: Any, run: str) -> None:
    """As a loop over loops this took minutes at a few thousand; the statement timeout is the alarm."""
    values = {f"k{n}": n for n in range(3000)}
    assert all(one.created for one in postil.annotate(run, values, idempotency_key="k"))
    assert not any(one.created for one in postil.annotate(run, values, idempotency_key="k"))


def test_concurrent_retries_store_one(postil: Postil, record: Any, run: str) -> None:
    answers: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(postil.annotate(run, {"a": 1}, idempotency_key="k")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.created for one in answers) == [False] * 7 + [True]
    assert len({one.id for one in answers}) == 1
    assert record.keys(run) == ["a"]


# ---------------------------------------------------------------------- many runs at once


def test_many_runs_are_annotated_in_one_statement(postil: Postil, record: Any, run: str) -> None:
    postil.create_run(other := f"{run}-other")
    done = postil.annotate_many(
        {other: [Decision(outcome="x")], run: [{"a": 1}, {"b": 2}]}, actor=user("ada"), idempotency_key="k"
    )
    assert [(one.run_seq, one.created) for one in done[run]] == [(2, True), (3, True)]
    assert [(one.run_seq, one.created) for one in done[other]] == [(2, True)]
    assert record.keys(run) == ["a", "b"]
    assert record.keys(other) == ["decision.outcome"]
    again = postil.annotate_many({run: [{"a": 1}]}, actor=user("ada"), idempotency_key="k")
    assert again == {run: [Receipt(done[run][0].id, 2, created=False)]}


async def test_the_async_form_does_the_same(async_postil: AsyncPostil, record: Any, run: str) -> None:
    when = datetime(2021, 1, 1, tzinfo=UTC)
    done = await async_postil.annotate_many({run: [{"a": 1}]}, recorded_at=when)
    assert [one.run_seq for one in done[run]] == [2]
    await async_postil.annotate(run, {"b": 2})
    assert record.keys(run) == ["a", "b"]
    assert record.one("select min(recorded_at) from postil.annotation where run_id = %s", run) == when


def test_many_runs_are_annotated_or_none(postil: Postil, record: Any, run: str) -> None:
    before = record.traces()
    with pytest.raises(errors.RunNotFound):
        postil.annotate_many({run: [{"a": 1}], "zz-nobody": [{"a": 1}]})
    with pytest.raises(errors.InvalidAnnotation) as refused:
        postil.annotate_many({run: [{"a": 1}, {"A": 1}]})
    assert refused.value.field == "batch[0].annotations[1].key"
    assert record.traces() == before


def test_opposed_batches_never_deadlock(write_url: str, postil: Postil, record: Any) -> None:
    runs = [f"{uuid.uuid4().hex[:8]}-{n}" for n in range(6)]
    for run_id in runs:
        postil.create_run(run_id)
    failures: list[BaseException] = []

    def write(order: list[str]) -> None:
        try:
            for _ in range(15):
                postil.annotate_many({run_id: [{"a": 1}] for run_id in order})
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=(order,)) for order in (runs, runs[::-1]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {len(record.events(run_id)) for run_id in runs} == {61}


def test_sql_alone_gives_the_same(record: Any, run: str) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    answer = record.sql(
        "select kind, run_seq, created from postil.annotate('default', %s, %s, context => %s)",
        run,
        [{"key": "a", "value": None}],
        {"causation_id": "c", "traceparent": parent},
    )
    assert answer == [("annotation", 2, True)]
    told = record.sql(
        "select causation_id, traceparent from postil.event where run_id = %s and run_seq = 2", run
    )
    assert told == [("c", parent)]
