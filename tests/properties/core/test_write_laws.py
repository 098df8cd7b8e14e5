"""Laws of the event log: after any commits, rollbacks and refusals it describes exactly the stored state."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from postil import Decision, NewAnnotation, Postil, TransactionWriter, errors, user
from postil.postgres import sqlalchemy_url

RUNS, PARTS = ["a", "b", "c"], ["x", "y"]
run_ids, parts = st.sampled_from(RUNS), st.sampled_from(PARTS)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "l"]), inner),
    max_leaves=5,
)  # fmt: skip
keys = st.none() | st.sampled_from(["once", "twice"])
annotation_lists = st.lists(
    st.builds(
        NewAnnotation, st.sampled_from(["n", "o.p"]), json,
        payload=json, idempotency_key=keys, actor=st.none() | st.just(user("u")),
    )
    | st.just(Decision(outcome="go", rationale="why", payload={"evidence": 1})),
    max_size=3,
)  # fmt: skip


@dataclass(frozen=True)
class Act:
    """One write to a run."""

    verb: str
    arguments: tuple[Any, ...]

    def by(self, writer: TransactionWriter, prefix: str) -> None:
        """Make the write, on the runs of this example."""
        run_id, *rest = self.arguments
        runs = [f"{prefix}-{one}" for one in run_id] if isinstance(run_id, list) else f"{prefix}-{run_id}"
        VERBS[self.verb](writer, runs, *rest)


VERBS: dict[str, Callable[..., Any]] = {
    "create": lambda w, r, pending, annotations: w.create_run(
        r, *annotations, pending=pending, input={"i": 1}
    ),
    "start": lambda w, r: w.start_run(r),
    "annotate": lambda w, r, annotations, stage: w.annotate(r, *annotations, stage_id=stage),
    "annotate many": lambda w, r, annotations: w.annotate_many(dict.fromkeys(r, annotations)),
    "start stage": lambda w, r, s: w.start_stage(r, s),
    "complete stage": lambda w, r, s, annotations, result: w.complete_stage(
        r, s, *annotations, result=result
    ),
    "fail stage": lambda w, r, s, annotations, error: w.fail_stage(r, s, *annotations, error=error),
    "suspend stage": lambda w, r, s, annotations: w.suspend_stage(r, s, *annotations),
    "resume stage": lambda w, r, s: w.resume_stage(r, s),
    "start tool call": lambda w, r, c, value: w.start_tool_call(r, "t", tool_call_id=c, arguments=value),
    "finish tool call": lambda w, r, c, value: w.finish_tool_call(r, c, result=value),
    "record tool call": lambda w, r, c, value: w.record_tool_call(
        r, "t", tool_call_id=c, failed=True, error=value
    ),
    "ask": lambda w, r, i, kind: w.ask(r, "?", interaction_id=i, kind=kind),
    "resolve": lambda w, r, i, answer, annotations: w.resolve_interaction(
        r, i, answer, *annotations, actor=user("u")
    ),
    "withdraw": lambda w, r, i: w.cancel_interaction(r, i),
    "finish": lambda w, r, failed, annotations, result: w.finish_run(
        r, *annotations, failed=failed, result=result
    ),
    "cancel": lambda w, r, reason: w.cancel_run(r, reason=reason),
}
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "create": (run_ids, st.booleans(), annotation_lists),
    "start": (run_ids,),
    "annotate": (run_ids, annotation_lists, st.none() | parts),
    "annotate many": (st.permutations(RUNS), annotation_lists),
    "start stage": (run_ids, parts),
    "complete stage": (run_ids, parts, annotation_lists, json),
    "fail stage": (run_ids, parts, annotation_lists, json | st.just({"type": "T", "message": "m"})),
    "suspend stage": (run_ids, parts, annotation_lists),
    "resume stage": (run_ids, parts),
    "start tool call": (run_ids, parts, json),
    "finish tool call": (run_ids, parts, json),
    "record tool call": (run_ids, parts, json),
    "ask": (run_ids, parts, st.sampled_from(["approval", "question"])),
    "resolve": (run_ids, parts, json | st.just({"outcome": "accept", "note": "n"}), annotation_lists),
    "withdraw": (run_ids, parts),
    "finish": (run_ids, st.booleans(), annotation_lists, json),
    "cancel": (run_ids, st.none() | st.just("because")),
}
acts = st.sampled_from(list(VERBS)).flatmap(
    lambda verb: st.builds(Act, st.just(verb), st.tuples(*ARGUMENTS[verb]))
)
# Runs mostly exist, or all the rest would be refused.
creations = st.lists(
    st.builds(Act, st.just("create"), st.tuples(*ARGUMENTS["create"])), min_size=1, max_size=3
)
transactions = st.lists(
    st.tuples(
        st.lists(acts, min_size=1, max_size=4), st.sampled_from(["commit", "commit", "commit", "roll back"])
    ),
    max_size=12,
)

LOG_AND_ROWS_DIFFER = """
    with event as (select * from postil.event where run_id like %(runs)s),
    last as (  -- what replaying the log leaves of each thing: the last event about it
        select distinct on (run_id, subject) run_id, subject, data - '{input,metadata}'::text[] as data
          from event order by run_id, subject, run_seq desc
    ),
    stored as (
        select id as run_id, 'runs/' || id as subject, postil._run_data(r) as data from postil.run r where id like %(runs)s
        union all
        select run_id, 'stages/' || id, postil._stage_data(s) from postil.stage s where run_id like %(runs)s
        union all
        select run_id, 'tool-calls/' || id, postil._tool_call_data(t) from postil.tool_call t where run_id like %(runs)s
        union all
        select run_id, 'interactions/' || id, postil._interaction_data(i) from postil.interaction i where run_id like %(runs)s
        union all
        select run_id, 'annotations/' || id, postil._annotation_data(a) from postil.annotation a where run_id like %(runs)s
    )
    select * from last full join stored using (run_id, subject) where last.data is distinct from stored.data
"""
NUMBERS_HAVE_GAPS = """
    select r.id, r.head, array_agg(e.run_seq order by e.position) from postil.run r
      left join postil.event e on e.tenant = r.tenant and e.run_id = r.id where r.id like %(runs)s
     group by r.id, r.head
    having array_agg(e.run_seq order by e.position) <> (select array_agg(n) from generate_series(1, r.head) n) or r.head < 1
"""
ANNOTATIONS_AND_EVENTS_DIFFER = """
    select * from (select * from postil.annotation where run_id like %(runs)s) a
      full join (select * from postil.event where run_id like %(runs)s and type = 'annotation:created') e
        on (a.tenant, a.run_id, a.run_seq) = (e.tenant, e.run_id, e.run_seq)
     where (a.id::text, a.recorded_at, a.created_at, a.attempt)
           is distinct from (e.data ->> 'id', e.recorded_at, e.created_at, e.attempt)
"""


@pytest.fixture
def writer(database_url: str) -> Iterator[Postil]:
    engine = create_engine(sqlalchemy_url(database_url))
    yield Postil(engine)
    engine.dispose()


@given(creations, transactions)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_log_describes_the_stored_state(
    writer: Postil, database_url: str, creation: list[Act], transactions: list[tuple[list[Act], str]]
) -> None:
    """After any transactions the last event about each thing equals its row, and run_seq has no gap."""
    prefix = uuid.uuid4().hex[:12]
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        for group, end in [(creation, "commit"), *transactions]:
            for act in group:
                try:
                    with connection.begin_nested():
                        act.by(writer.on(connection), prefix)
                    event(f"{act.verb}: done")
                except errors.WriteRefused as refused:
                    event(f"{act.verb}: {type(refused).__name__}")
            connection.commit() if end == "commit" else connection.rollback()
    engine.dispose()
    with psycopg.connect(database_url) as reader:
        for differing in (NUMBERS_HAVE_GAPS, ANNOTATIONS_AND_EVENTS_DIFFER, LOG_AND_ROWS_DIFFER):
            assert reader.execute(differing, {"runs": f"{prefix}-%"}).fetchall() == []
