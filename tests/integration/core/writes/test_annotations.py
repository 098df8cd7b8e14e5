"""Annotations: the events that a call writes, the receipts it returns, and when a call is a retry."""

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


def test_a_decision_becomes_one_annotation_per_given_field(postil: Postil, record: Any, run: str) -> None:
    """A `Decision` becomes one annotation per field that was given, in field order, in one group."""
    receipts = postil.annotate(
        run, Decision(outcome="refund", rationale="duplicate", confidence=0.93), actor=agent("triage", "2.1")
    )
    assert [(receipt.run_seq, receipt.created) for receipt in receipts] == [(2, True), (3, True), (4, True)]
    _, *events = record.events(run)
    assert [(data["key"], data["value"]) for _, data in events] == [
        ("decision.outcome", "refund"),
        ("decision.rationale", "duplicate"),
        ("decision.confidence", 0.93),
    ]
    assert {data["actor"]["version"] for _, data in events} == {"2.1"}
    assert {data["group_id"] for _, data in events} == {str(receipts[0].id)}, (
        "the group has the id of its first annotation"
    )


def test_the_event_has_every_column_of_its_annotation(postil: Postil, record: Any, run: str) -> None:
    """The event of an annotation has all of its columns; a column without a value is null."""
    (receipt,) = postil.annotate(run, {"a.key": None})
    (_, (type_, data)) = record.events(run)
    assert type_ == "annotation:created"
    assert data == {
        "id": str(receipt.id),
        "key": "a.key",
        "value": None,
        "payload": None,
        "actor": None,
        "scope": "run",
        "scope_id": None,
        "stage_id": None,
        "attempt": 1,
        "try": None,
        "group_id": str(receipt.id),
        "idempotency_key": None,
    }
    subject = record.one("select subject from postil.event where run_id = %s and run_seq = 2", run)
    assert subject == f"annotations/{receipt.id}"


def test_every_field_of_an_annotation_reaches_its_event(postil: Postil, record: Any, run: str) -> None:
    """Every field of a `NewAnnotation` is in the event, and its own actor replaces the actor of the call."""
    postil.start_stage(run, "s")
    annotation = NewAnnotation(
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
    postil.annotate(run, annotation, actor=agent("other"))
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


def test_one_call_mixes_dictionaries_conventions_and_fields(postil: Postil, record: Any, run: str) -> None:
    """Dictionaries, conventions and `NewAnnotation` objects of one call are stored in the order of the arguments."""
    receipts = postil.annotate(
        run,
        {"z": 1, "a": 2},
        Approval(approvers=["ada"]),
        NewAnnotation("m", 3),
        Revision(previous_run_id="r0"),
    )
    assert [receipt.run_seq for receipt in receipts] == [2, 3, 4, 5, 6]
    assert record.keys(run) == ["z", "a", "approval.approvers", "m", "revision.previous_run_id"]


def test_each_convention_and_each_single_key_is_a_group(postil: Postil, record: Any, run: str) -> None:
    """Each convention is one group with its payload on the first annotation, and each single key is a separate group."""
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
        (None, False),  # the payload null
        (None, True),
    ], "only the first annotation of a group has its payload"


def test_a_call_without_annotations_writes_no_event(postil: Postil, record: Any, run: str) -> None:
    """`annotate` without annotations returns an empty list and writes no event."""
    assert postil.annotate(run) == []
    assert postil.annotate(run, {}) == []
    assert record.types(run) == ["run:created"]


def test_recorded_at_is_stored_in_addition_to_created_at(postil: Postil, record: Any, run: str) -> None:
    """`recorded_at` keeps the caller's time to the microsecond, and `created_at` is the time of the write."""
    stated = datetime(2020, 2, 29, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    earlier = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    postil.annotate(run, {"a": 1}, NewAnnotation("b", 2, recorded_at=earlier), recorded_at=stated)
    rows = record.sql(
        "select a.recorded_at, e.recorded_at, a.created_at = e.created_at, a.created_at > now() - interval '1 hour'"
        " from postil.annotation a join postil.event e using (tenant, run_id, run_seq)"
        " where run_id = %s order by run_seq",
        run,
    )
    assert rows == [(stated, stated, True, True), (earlier, earlier, True, True)]


def test_only_live_annotations_need_a_run_in_progress(postil: Postil, record: Any, run: str) -> None:
    """A finished run takes annotations, but refuses them with `live=True`."""
    postil.finish_run(run)
    postil.annotate(run, {"afterwards": 1})
    with pytest.raises(errors.RunFinished):
        postil.annotate(run, {"live": 1}, live=True)
    assert record.keys(run) == ["afterwards"]


# ---------------------------------------------------------------------- idempotency


def test_a_retry_returns_the_stored_receipts(postil: Postil, record: Any, run: str) -> None:
    """The same call with the same idempotency key returns the stored receipts and writes no event."""
    values = {"a": {"x": 1.0}, "b": [2]}
    first = postil.annotate(run, values, actor=user("ada"), idempotency_key="hook-1")
    again = postil.annotate(run, values, actor=user("ada"), idempotency_key="hook-1")
    assert [receipt.created for receipt in first] == [True, True]
    assert again == [Receipt(receipt.id, receipt.run_seq, created=False) for receipt in first]
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
def test_other_content_under_an_idempotency_key_is_a_conflict(
    postil: Postil, record: Any, run: str, other: NewAnnotation
) -> None:
    """Other content under a used idempotency key is refused, and the error names the run, key and stored annotation."""
    (stored,) = postil.annotate(run, NewAnnotation("a", 1), idempotency_key="k")
    before = record.traces()
    with pytest.raises(errors.IdempotencyConflict) as caught:
        postil.annotate(run, {"fresh": 1}, other, idempotency_key="k")
    assert run in caught.value.what
    assert "'k'" in caught.value.what
    assert str(stored.id) in caught.value.what
    assert "run_seq 2" in caught.value.what
    assert caught.value.field == "annotations[1]"
    assert record.traces() == before


def test_an_idempotency_key_is_unique_per_run_and_key(postil: Postil, record: Any, run: str) -> None:
    """Two runs, or two keys of one run, may use the same idempotency key."""
    postil.create_run(other := f"{run}-other")
    for run_id in (run, other):
        for key in ("a", "b"):
            (receipt,) = postil.annotate(run_id, {key: 1}, idempotency_key="k")
            assert receipt.created


def test_a_repeated_annotation_in_one_call_is_stored_once(postil: Postil, record: Any, run: str) -> None:
    """A repeated annotation of one call is stored once; a repeated key with another value is refused."""
    first, repeated, other = postil.annotate(run, {"a": 1}, {"a": 1}, {"b": 1}, idempotency_key="k")
    assert (first.id, first.run_seq) == (repeated.id, repeated.run_seq)
    assert [first.created, repeated.created, other.created] == [True, False, True]
    assert record.keys(run) == ["a", "b"]
    with pytest.raises(errors.IdempotencyConflict, match="twice in this call"):
        postil.annotate(run, {"c": 1}, {"c": 2}, idempotency_key="k")


def test_new_and_stored_annotations_mix_without_a_gap(postil: Postil, record: Any, run: str) -> None:
    """In a call that repeats some annotations, only the new ones are stored, and the run_seq has no gap."""
    stored = [postil.annotate(run, {key: 1}, idempotency_key="k")[0] for key in ("b", "d")]
    receipts = postil.annotate(run, dict.fromkeys("abcde", 1), {"f": 1}, idempotency_key="k")
    assert [receipt.created for receipt in receipts] == [True, False, True, False, True, True]
    assert [receipts[1].id, receipts[3].id] == [receipt.id for receipt in stored]
    assert [receipt.run_seq for receipt in receipts] == [4, 2, 5, 3, 6, 7]
    assert record.keys(run) == ["b", "d", "a", "c", "e", "f"]


def test_an_annotations_idempotency_key_precedes_the_calls(postil: Postil, record: Any, run: str) -> None:
    """The idempotency key of the call applies to annotations that have none."""
    postil.annotate(
        run, NewAnnotation("a", 1, idempotency_key="own"), NewAnnotation("b", 1), idempotency_key="call"
    )
    stored = record.sql(
        "select key, idempotency_key from postil.annotation where run_id = %s order by run_seq", run
    )
    assert stored == [("a", "own"), ("b", "call")]


def test_idempotency_keys_of_stages_are_separate(postil: Postil, record: Any, run: str) -> None:
    """The same idempotency key and annotation key may be used once in each stage and once outside of them."""
    for stage in ("one", "two"):
        postil.start_stage(run, stage)
        (receipt,) = postil.annotate(run, {"a": stage}, stage_id=stage, idempotency_key="k")
        assert receipt.created
    (receipt,) = postil.annotate(run, {"a": "outside"}, idempotency_key="k")
    assert receipt.created
    (receipt,) = postil.annotate(run, {"a": "two"}, stage_id="two", idempotency_key="k")
    assert not receipt.created
    both = [NewAnnotation("b", stage, stage_id=stage) for stage in ("one", "two")]
    assert [receipt.created for receipt in postil.annotate(run, *both, idempotency_key="k")] == [True, True]


def test_idempotency_keys_of_a_stage_are_separate_per_attempt(postil: Postil, record: Any, run: str) -> None:
    """A rerun stores its stage's annotations under keys that the first attempt used; outside of stages keys stay used."""
    postil.start_stage(run, "s")
    postil.annotate(run, {"a": "first"}, stage_id="s", idempotency_key="k")
    postil.annotate(run, {"b": "first"}, idempotency_key="k")
    record.sql("update postil.run set attempt = 2 where id = %s", run)  # reruns have no verb yet
    postil.start_stage(run, "s")
    (inside,) = postil.annotate(run, {"a": "second"}, stage_id="s", idempotency_key="k")
    assert inside.created
    with pytest.raises(errors.IdempotencyConflict):
        postil.annotate(run, {"b": "second"}, idempotency_key="k")


def test_the_attempt_defaults_to_the_runs_current_one(postil: Postil, record: Any, run: str) -> None:
    """An annotation without an attempt gets the run's current attempt, and may name an earlier one."""
    record.sql("update postil.run set attempt = 2 where id = %s", run)  # reruns have no verb yet
    postil.annotate(run, NewAnnotation("now", 1), NewAnnotation("before", 1, attempt=1))
    events = record.sql(
        "select data ->> 'key', attempt, (data ->> 'attempt')::int from postil.event where run_id = %s order by run_seq",
        run,
    )
    assert events[1:] == [("now", 2, 2), ("before", 1, 1)]


def test_thousands_of_annotations_with_a_key_take_one_pass(postil: Postil, record: Any, run: str) -> None:
    """3,000 annotations with an idempotency key are stored within the statement timeout, so not in quadratic time."""
    values = {f"k{n}": n for n in range(3000)}
    assert all(receipt.created for receipt in postil.annotate(run, values, idempotency_key="k"))
    assert not any(receipt.created for receipt in postil.annotate(run, values, idempotency_key="k"))


def test_concurrent_retries_store_one_annotation(postil: Postil, record: Any, run: str) -> None:
    """Eight threads that send the same annotation get the same receipt, and one of them created it."""
    receipts: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda: receipts.extend(postil.annotate(run, {"a": 1}, idempotency_key="k")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.created for receipt in receipts) == [False] * 7 + [True]
    assert len({receipt.id for receipt in receipts}) == 1
    assert record.keys(run) == ["a"]


# ---------------------------------------------------------------------- many runs at once


def test_annotate_many_returns_the_receipts_of_each_run(postil: Postil, record: Any, run: str) -> None:
    """`annotate_many` returns the receipts by run, and a repeated batch returns the stored ones."""
    postil.create_run(other := f"{run}-other")
    receipts = postil.annotate_many(
        {other: [Decision(outcome="x")], run: [{"a": 1}, {"b": 2}]}, actor=user("ada"), idempotency_key="k"
    )
    assert [(receipt.run_seq, receipt.created) for receipt in receipts[run]] == [(2, True), (3, True)]
    assert [(receipt.run_seq, receipt.created) for receipt in receipts[other]] == [(2, True)]
    assert record.keys(run) == ["a", "b"]
    assert record.keys(other) == ["decision.outcome"]
    again = postil.annotate_many({run: [{"a": 1}]}, actor=user("ada"), idempotency_key="k")
    assert again == {run: [Receipt(receipts[run][0].id, 2, created=False)]}


async def test_async_annotate_and_annotate_many_store_the_same(
    async_postil: AsyncPostil, record: Any, run: str
) -> None:
    """`AsyncPostil` stores annotations of one run and of a batch with their `recorded_at`."""
    when = datetime(2021, 1, 1, tzinfo=UTC)
    receipts = await async_postil.annotate_many({run: [{"a": 1}]}, recorded_at=when)
    assert [receipt.run_seq for receipt in receipts[run]] == [2]
    await async_postil.annotate(run, {"b": 2})
    assert record.keys(run) == ["a", "b"]
    assert record.one("select min(recorded_at) from postil.annotation where run_id = %s", run) == when


def test_a_refused_batch_writes_to_none_of_its_runs(postil: Postil, record: Any, run: str) -> None:
    """A batch with an unknown run or an invalid annotation is refused and leaves nothing in the other runs."""
    before = record.traces()
    with pytest.raises(errors.RunNotFound):
        postil.annotate_many({run: [{"a": 1}], "zz-unknown": [{"a": 1}]})
    with pytest.raises(errors.InvalidAnnotation) as caught:
        postil.annotate_many({run: [{"a": 1}, {"A": 1}]})
    assert caught.value.field == "batch[0].annotations[1].key"
    assert record.traces() == before


def test_batches_in_opposite_order_do_not_deadlock(write_url: str, postil: Postil, record: Any) -> None:
    """Batches that name the same runs in opposite order lock them in one order, so none of them deadlocks."""
    runs = [f"{uuid.uuid4().hex[:8]}-{n}" for n in range(6)]
    for run_id in runs:
        postil.create_run(run_id)
    failures: list[BaseException] = []

    def write(order: list[str]) -> None:
        try:
            for _ in range(15):
                postil.annotate_many({run_id: [{"a": 1}] for run_id in order})
        except BaseException as error:  # noqa: BLE001 (the test's thread reports it)
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


def test_the_sql_function_writes_the_same_event(record: Any, run: str) -> None:
    """The SQL function `annotate` returns a receipt and stores the context of the call with the event."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    rows = record.sql(
        "select kind, run_seq, created from postil.annotate('default', %s, %s, context => %s)",
        run,
        [{"key": "a", "value": None}],
        {"causation_id": "c", "traceparent": parent},
    )
    assert rows == [("annotation", 2, True)]
    context = record.sql(
        "select causation_id, traceparent from postil.event where run_id = %s and run_seq = 2", run
    )
    assert context == [("c", parent)]
