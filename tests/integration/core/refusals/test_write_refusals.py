"""Bad input to every write gives the typed error that names the place, and leaves nothing behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, text

from postil import Actor, Approval, AsyncPostil, Decision, NewAnnotation, Postil, Trigger, errors
from postil.postgres import sqlalchemy_url


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


NUL, SURROGATE, LONG = "a\x00b", "a\ud800b", "x" * 3000
BAD_TEXTS = {
    "NUL": NUL,
    "a lone surrogate": SURROGATE,
    "nothing": None,
    "empty": "",
    "3,000 characters": LONG,
    "a number": 5,
    "bytes": b"x",
}
BAD_VALUES: dict[str, tuple[Any, str]] = {
    "NUL": ({"a": [NUL]}, ".a[0]"),
    "NUL in a key": ({NUL: 1}, " (a key)"),
    "a lone surrogate": ([1, SURROGATE], "[1]"),
    "NaN": ({"a": float("nan")}, ".a"),
    "infinity": (float("-inf"), ""),
    "an integer of 5,000 digits": (10**5000, ""),
    "an integer beyond a double": (-(10**309), ""),
    "a datetime": (datetime(2020, 1, 1, tzinfo=UTC), ""),
    "a set": ({1}, ""),
    "bytes": (b"x", ""),
    "a number for a key": ({1: 2}, ""),
}
BAD_TIMES = {
    "naive": datetime(2020, 1, 1),  # noqa: DTZ001 (that is the point)
    "before the year 1": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    "the year 1's first day": datetime(1, 1, 1, tzinfo=UTC),
    "after the year 9999": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=14))),
    "a text": "2020-01-01T00:00:00Z",
    "a number": 0,
}


@pytest.fixture
def busy(postil: Postil, run: str) -> str:
    """A run with a stage, a tool call and a question of the id "x"."""
    postil.start_stage(run, "x")
    postil.start_tool_call(run, "t", tool_call_id="x")
    postil.ask(run, "?", interaction_id="x", kind="question")
    return run


# One call for every parameter of every verb that takes a text, free JSON, a time or an actor.
Call = Callable[[Postil, str, Any], object]
TEXTS: dict[str, Call] = {
    "create_run run_id": lambda p, r, bad: p.create_run(bad),
    "start_run run_id": lambda p, r, bad: p.start_run(bad),
    "finish_run run_id": lambda p, r, bad: p.finish_run(bad),
    "cancel_run run_id": lambda p, r, bad: p.cancel_run(bad),
    "annotate run_id": lambda p, r, bad: p.annotate(bad, {"a": 1}),
    "start_stage run_id": lambda p, r, bad: p.start_stage(bad, "s"),
    "start_stage name": lambda p, r, bad: p.start_stage(r, bad),
    "complete_stage stage_id": lambda p, r, bad: p.complete_stage(r, bad),
    "fail_stage stage_id": lambda p, r, bad: p.fail_stage(r, bad),
    "suspend_stage stage_id": lambda p, r, bad: p.suspend_stage(r, bad),
    "resume_stage stage_id": lambda p, r, bad: p.resume_stage(r, bad),
    "start_tool_call name": lambda p, r, bad: p.start_tool_call(r, bad),
    "start_tool_call kind": lambda p, r, bad: p.start_tool_call(r, "t", kind=bad),
    "finish_tool_call tool_call_id": lambda p, r, bad: p.finish_tool_call(r, bad),
    "record_tool_call name": lambda p, r, bad: p.record_tool_call(r, bad),
    "ask kind": lambda p, r, bad: p.ask(r, "?", kind=bad),
    "resolve_interaction interaction_id": lambda p, r, bad: p.resolve_interaction(r, bad, 1),
    "cancel_interaction interaction_id": lambda p, r, bad: p.cancel_interaction(r, bad),
}
OPTIONAL_TEXTS: dict[str, Call] = {
    "create_run name": lambda p, r, bad: p.create_run(f"{r}-new", name=bad),
    "create_run parent_id": lambda p, r, bad: p.create_run(f"{r}-new", parent_id=bad),
    "create_run replay_of": lambda p, r, bad: p.create_run(f"{r}-new", replay_of=bad),
    "annotate stage_id": lambda p, r, bad: p.annotate(r, {"a": 1}, stage_id=bad),
    "start_stage stage_id": lambda p, r, bad: p.start_stage(r, "s", stage_id=bad),
    "start_tool_call tool_call_id": lambda p, r, bad: p.start_tool_call(r, "t", tool_call_id=bad),
    "start_tool_call stage_id": lambda p, r, bad: p.start_tool_call(r, "t", stage_id=bad),
    "record_tool_call stage_id": lambda p, r, bad: p.record_tool_call(r, "t", stage_id=bad),
    "ask to": lambda p, r, bad: p.ask(r, "?", to=bad),
    "ask interaction_id": lambda p, r, bad: p.ask(r, "?", interaction_id=bad),
}
JSON: dict[str, Call] = {
    "create_run input": lambda p, r, bad: p.create_run(f"{r}-new", input=bad),
    "create_run metadata": lambda p, r, bad: p.create_run(f"{r}-new", metadata=bad),
    "finish_run result": lambda p, r, bad: p.finish_run(r, result=bad),
    "finish_run error": lambda p, r, bad: p.finish_run(r, failed=True, error=bad),
    "complete_stage result": lambda p, r, bad: p.complete_stage(r, "x", result=bad),
    "fail_stage error": lambda p, r, bad: p.fail_stage(r, "x", error=bad),
    "start_tool_call arguments": lambda p, r, bad: p.start_tool_call(r, "t", arguments=bad),
    "finish_tool_call result": lambda p, r, bad: p.finish_tool_call(r, "x", result=bad),
    "record_tool_call error": lambda p, r, bad: p.record_tool_call(r, "t", error=bad),
    "resolve_interaction answer": lambda p, r, bad: p.resolve_interaction(r, "x", bad),
}
ITEMS: dict[str, tuple[Callable[..., object], str]] = {
    "annotate": (lambda p, r, *said: p.annotate(r, *said), "annotations"),
    "create_run": (lambda p, r, *said: p.create_run(f"{r}-new", *said), "annotations"),
    "finish_run": (lambda p, r, *said: p.finish_run(r, *said), "annotations"),
    "complete_stage": (lambda p, r, *said: p.complete_stage(r, "x", *said), "annotations"),
    "fail_stage": (lambda p, r, *said: p.fail_stage(r, "x", *said), "annotations"),
    "suspend_stage": (lambda p, r, *said: p.suspend_stage(r, "x", *said), "annotations"),
    "resolve_interaction": (lambda p, r, *said: p.resolve_interaction(r, "x", 1, *said), "annotations"),
    "annotate_many": (lambda p, r, *said: p.annotate_many({r: list(said)}), "batch[0].annotations"),
}
TIMES: dict[str, Call] = {
    "create_run": lambda p, r, bad: p.create_run(f"{r}-new", recorded_at=bad),
    "start_run": lambda p, r, bad: p.start_run(r, recorded_at=bad),
    "finish_run": lambda p, r, bad: p.finish_run(r, recorded_at=bad),
    "cancel_run": lambda p, r, bad: p.cancel_run(r, recorded_at=bad),
    "annotate": lambda p, r, bad: p.annotate(r, {"a": 1}, recorded_at=bad),
    "start_stage": lambda p, r, bad: p.start_stage(r, "s", recorded_at=bad),
    "complete_stage": lambda p, r, bad: p.complete_stage(r, "x", recorded_at=bad),
    "start_tool_call": lambda p, r, bad: p.start_tool_call(r, "t", recorded_at=bad),
    "finish_tool_call": lambda p, r, bad: p.finish_tool_call(r, "x", recorded_at=bad),
    "record_tool_call": lambda p, r, bad: p.record_tool_call(r, "t", recorded_at=bad),
    "ask": lambda p, r, bad: p.ask(r, "?", recorded_at=bad),
    "resolve_interaction": lambda p, r, bad: p.resolve_interaction(r, "x", 1, recorded_at=bad),
    "cancel_interaction": lambda p, r, bad: p.cancel_interaction(r, "x", recorded_at=bad),
}
ACTORS: dict[str, Call] = {
    "create_run": lambda p, r, bad: p.create_run(f"{r}-new", actor=bad),
    "finish_run": lambda p, r, bad: p.finish_run(r, actor=bad),
    "cancel_run": lambda p, r, bad: p.cancel_run(r, actor=bad),
    "annotate": lambda p, r, bad: p.annotate(r, {"a": 1}, actor=bad),
    "annotate_many": lambda p, r, bad: p.annotate_many({r: [{"a": 1}]}, actor=bad),
    "start_stage": lambda p, r, bad: p.start_stage(r, "s", actor=bad),
    "complete_stage": lambda p, r, bad: p.complete_stage(r, "x", actor=bad),
    "start_tool_call": lambda p, r, bad: p.start_tool_call(r, "t", actor=bad),
    "record_tool_call": lambda p, r, bad: p.record_tool_call(r, "t", actor=bad),
    "resolve_interaction": lambda p, r, bad: p.resolve_interaction(r, "x", 1, actor=bad),
    "cancel_interaction": lambda p, r, bad: p.cancel_interaction(r, "x", actor=bad),
}


def refusal(
    record: Any, call: Callable[[], object], *kinds: type[errors.WriteRefused]
) -> errors.WriteRefused:
    """The typed error a call ends with, having left nothing behind."""
    before = record.traces()
    with pytest.raises(kinds or errors.WriteRefused) as refused:
        call()
    assert record.traces() == before, "nothing is half written"
    assert refused.value.advice
    return refused.value


NOT_THERE = (errors.RunNotFound, errors.StageNotFound, errors.ToolCallNotFound, errors.InteractionNotFound)


@pytest.mark.parametrize("where", TEXTS | OPTIONAL_TEXTS)
def test_a_bad_text_is_refused_by_its_field(postil: Postil, record: Any, busy: str, where: str) -> None:
    call, field = (TEXTS | OPTIONAL_TEXTS)[where], where.split()[1].replace("to", "assignee")
    for what, bad in BAD_TEXTS.items():
        if bad is None and where in OPTIONAL_TEXTS:
            continue
        # A well-formed text that is the id of nothing is not malformed: it is not found.
        told = refusal(record, lambda bad=bad: call(postil, busy, bad), errors.InvalidInput, *NOT_THERE)
        if not isinstance(told, errors.InvalidInput):
            assert what in {"empty", "3,000 characters"}
        if not isinstance(told, errors.RunNotFound):
            assert told.field in {field, where.split()[1], "annotations[0].stage_id"}, what


@pytest.mark.parametrize("where", JSON)
def test_bad_json_is_refused_by_the_path_to_it(postil: Postil, record: Any, busy: str, where: str) -> None:
    call, field = JSON[where], where.split()[1]
    for bad, path in BAD_VALUES.values():
        told = refusal(record, lambda bad=bad: call(postil, busy, bad), errors.InvalidInput)
        assert told.field == f"{field}{path}"
    for deep in (65, 100_000):
        told = refusal(record, lambda deep=deep: call(postil, busy, nested(deep)), errors.InvalidInput)
        assert told.field == field
        assert "64 levels" in told.what
    for large in ("x" * 1_000_000, [1e300] * 2000):  # as text, and as the database spells it
        assert (
            refusal(record, lambda large=large: call(postil, busy, large), errors.PayloadTooLarge).field
            == field
        )


@pytest.mark.parametrize("where", ITEMS)
def test_a_bad_annotation_is_refused_by_its_item_and_path(
    postil: Postil, record: Any, busy: str, where: str
) -> None:
    call, place = ITEMS[where]

    def told(*said: Any) -> errors.WriteRefused:
        return refusal(
            record,
            lambda: call(postil, busy, {"good": 1}, *said),
            errors.InvalidAnnotation,
            errors.InvalidInput,
        )

    for key in ("", LONG, "Upper", "a..b", ".a", "a.", "a b", "a\n", "1a", "ä", NUL, SURROGATE, None, 5):
        for said in ({key: 1}, NewAnnotation(key, 1)):  # type: ignore[arg-type]
            error = told(said)
            assert (type(error), error.field) == (errors.InvalidAnnotation, f"{place}[1].key"), key
    for bad, path in BAD_VALUES.values():
        for said, field in (({"k": bad}, "value"), (NewAnnotation("k", 1, payload=bad), "payload")):
            error = told(said)
            assert (type(error), error.field) == (errors.InvalidAnnotation, f"{place}[1].{field}{path}")
    for deep in (65, 100_000):
        error = told({"k": nested(deep)})
        assert "64 levels" in error.what
        assert error.field == f"{place}[1].value"
    for said, field in (
        ({"k": "x" * 1_000_000}, "value"),
        (NewAnnotation("k", 1, payload="x" * 1_000_000), "payload"),
    ):
        error = refusal(
            record, lambda said=said: call(postil, busy, {"good": 1}, said), errors.PayloadTooLarge
        )
        assert error.field == f"{place}[1].{field}"
    for note, field in (
        (NewAnnotation("k", 1, scope=""), "scope"),
        (NewAnnotation("k", 1, scope_id=LONG), "scope_id"),
        (NewAnnotation("k", 1, stage_id=5), "stage_id"),  # type: ignore[arg-type]
        (NewAnnotation("k", 1, idempotency_key=LONG), "idempotency_key"),
        (NewAnnotation("k", 1, attempt=-1), "attempt"),
        (NewAnnotation("k", 1, try_=1.5), "try"),  # type: ignore[arg-type]
        (NewAnnotation("k", 1, try_=10**12), "try"),
        (NewAnnotation("k", 1, actor="ada"), "actor"),  # type: ignore[arg-type]
        (NewAnnotation("k", 1, recorded_at=BAD_TIMES["naive"]), "recorded_at"),  # type: ignore[arg-type]
    ):
        assert told(note).field == f"{place}[1].{field}"
    for said in ("text", 5, None, [1], Decision):
        assert told(said).field == f"{place}[1]"
    for said in (
        {"decision.confidence": "0.9"},
        {"decision.confidence": 2},
        {"approval.timestamp": "2020-01-01T00:00:00"},
    ):
        assert told(said).field == f"{place}[1].value"


@pytest.mark.parametrize("where", TIMES)
def test_a_bad_time_is_refused(postil: Postil, record: Any, busy: str, where: str) -> None:
    for bad in BAD_TIMES.values():
        assert (
            refusal(record, lambda bad=bad: TIMES[where](postil, busy, bad), errors.InvalidInput).field
            == "recorded_at"
        )


@pytest.mark.parametrize("where", ACTORS)
def test_a_bad_actor_is_refused(postil: Postil, record: Any, busy: str, where: str) -> None:
    for bad in ("ada", {"kind": "user", "id": "ada"}, 5):
        assert (
            refusal(record, lambda bad=bad: ACTORS[where](postil, busy, bad), errors.InvalidInput).field
            == "actor"
        )


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda p, r: p.create_run(f"{r}-new", trigger={"source": "api"}), "trigger"),
        (lambda p, r: p.create_run(f"{r}-new", trigger=Trigger("API")), "trigger.source"),
        (lambda p, r: p.create_run(f"{r}-new", trigger=Trigger(action="")), "trigger.action"),
        (lambda p, r: p.create_run(f"{r}-new", trigger=Trigger(schedule_id=LONG)), "trigger.schedule_id"),
        (lambda p, r: p.create_run(f"{r}-new", trigger=Trigger(schedule_id=NUL)), "trigger.schedule_id"),
        (lambda p, r: p.ask(r, ""), "prompt"),
        (lambda p, r: p.ask(r, "x" * 10_001), "prompt"),
        (lambda p, r: p.ask(r, None), "prompt"),
        (lambda p, r: p.cancel_run(r, reason="x" * 2001), "reason"),
        (lambda p, r: p.record_tool_call(r, "t", duration_ms=-1), "duration_ms"),
        (lambda p, r: p.record_tool_call(r, "t", duration_ms=float("nan")), "duration_ms"),
        (lambda p, r: p.finish_tool_call(r, "x", duration_ms=float("inf")), "duration_ms"),
        (lambda p, r: p.finish_tool_call(r, "x", duration_ms=10**400), "duration_ms"),
        (lambda p, r: p.finish_tool_call(r, "x", duration_ms="1"), "duration_ms"),
        (lambda p, r: p.finish_tool_call(r, "x", duration_ms=True), "duration_ms"),
        (lambda p, r: p.record_runs(5), "histories"),
        (lambda p, r: p.record_runs([{"run_id": NUL}]), "histories[0].run_id"),
        (lambda p, r: p.record_runs([nested(100_000)]), "histories[0]"),
        (lambda p, r: p.annotate_many([r]), "annotations"),
        (lambda p, r: p.annotate_many({r: {"a": 1}}), "batch[0]"),
        (lambda p, r: p.annotate_many({5: [{"a": 1}]}), "batch[0].run_id"),
        (lambda p, r: p.annotate(r, NewAnnotation("a", 1, attempt=2)), "annotations[0].attempt"),
        (lambda p, r: p.annotate(r, NewAnnotation("a", 1, attempt=0)), "annotations[0].attempt"),
        (lambda p, r: Actor("user", NUL), "actor.id"),
        (lambda p, r: Actor("", "ada"), "actor.kind"),
        (lambda p, r: Actor("user", "ada", LONG), "actor.version"),
        (lambda p, r: Actor("user", None), "actor.id"),
        (lambda p, r: Decision(outcome=5), "decision.outcome"),
        (lambda p, r: Decision(outcome="x", confidence=float("nan")), "decision.confidence"),
        (lambda p, r: p.annotate(r, Decision(outcome=SURROGATE)), "annotations[0].value"),
        (lambda p, r: Approval(approvers=["a", 5]), "approval.approvers[1]"),
        (lambda p, r: Approval(approvers=["a"], timestamp=BAD_TIMES["naive"]), "approval.timestamp"),
        (lambda p, r: Decision(outcome="x", colour="red"), "decision.colour"),
    ],
)
def test_everything_else_malformed_is_refused_by_its_field(
    postil: Postil, record: Any, busy: str, call: Callable[[Any, str], object], field: str
) -> None:
    assert refusal(record, lambda: call(postil, busy), errors.InvalidInput).field == field


def test_a_value_may_be_64_levels_deep_wherever_it_is_said(postil: Postil, record: Any, busy: str) -> None:
    deep = nested(64)
    postil.annotate(busy, {"a": deep}, NewAnnotation("b", 1, payload=deep))
    postil.record_tool_call(busy, "t", arguments=deep, result=deep)
    steps = [
        {"type": "annotation:created", "key": "a", "value": deep, "payload": deep},
        {"type": "tool_call:completed", "id": "t", "name": "t", "result": deep},
    ]
    postil.record_runs([{"run_id": f"{busy}-history", "input": deep, "steps": steps}])
    assert record.events(f"{busy}-history")[1][1]["value"] == deep


@pytest.mark.parametrize("where", TEXTS)
def test_an_unknown_run_is_not_found(postil: Postil, record: Any, busy: str, where: str) -> None:
    if where.startswith("create_run"):
        return
    call = TEXTS[where]
    nobody = f"{busy}-nobody"
    bad = nobody if where.endswith("run_id") else "x"
    error = refusal(record, lambda: call(postil, nobody, bad), errors.RunNotFound)
    assert nobody in error.what


def test_a_foreign_tenant_finds_nothing(write_url: str, record: Any, busy: str) -> None:
    unheard = Postil(write_url, tenant="unheard-of")
    refusal(record, lambda: unheard.annotate(busy, {"a": 1}), errors.TenantNotFound)
    refusal(record, lambda: unheard.create_run("r"), errors.TenantNotFound)
    refusal(record, lambda: unheard.record_runs([{"run_id": "r"}]), errors.TenantNotFound)
    other = f"other-{uuid.uuid4().hex[:8]}"
    record.sql("select postil.create_tenant(%s)", other)
    foreign = Postil(write_url, tenant=other)
    refusal(record, lambda: foreign.annotate(busy, {"a": 1}), errors.RunNotFound)
    foreign.create_run(busy)
    foreign.annotate(busy, {"theirs": 1})
    assert [data["key"] for type_, data in record.events(busy, tenant=other) if "key" in data] == ["theirs"]
    assert record.keys(busy) == []
    for bad in (NUL, SURROGATE, 5, None):
        refusal(
            record,
            lambda bad=bad: Postil(write_url, tenant=bad).annotate(busy, {"a": 1}),
            errors.InvalidInput,
        )
    unheard.close()
    foreign.close()


@pytest.fixture
def session_of(write_url: str) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Connections with settings of their own."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(**settings: str) -> psycopg.Connection[Any]:
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        opened.append(psycopg.connect(write_url, options=options.replace("__", "."), autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


WRITES = [
    "create_run('default', 'new')",
    "start_run('default', %(run)s)",
    "finish_run('default', %(run)s)",
    "cancel_run('default', %(run)s)",
    'annotate(\'default\', %(run)s, \'[{"key": "a", "value": 1}]\')',
    "annotate_many('default', jsonb_build_array(jsonb_build_object('run_id', %(run)s::text, 'annotations', '[]'::jsonb)))",
    "start_stage('default', %(run)s, 's')",
    "complete_stage('default', %(run)s, 'x')",
    "fail_stage('default', %(run)s, 'x')",
    "suspend_stage('default', %(run)s, 'x')",
    "resume_stage('default', %(run)s, 'x')",
    "start_tool_call('default', %(run)s, 't')",
    "finish_tool_call('default', %(run)s, 'x')",
    "record_tool_call('default', %(run)s, 't')",
    "ask('default', %(run)s, '?')",
    "resolve_interaction('default', %(run)s, 'x', '1')",
    "cancel_interaction('default', %(run)s, 'x')",
    "record_runs('default', '[]')",
]


@pytest.mark.parametrize("call", WRITES, ids=lambda call: call.partition("(")[0])
def test_every_write_refuses_a_session_that_is_not_durable_or_anothers(
    record: Any, busy: str, session_of: Any, call: str
) -> None:
    before = record.traces()
    statement = f"select * from postil.{call}"
    for settings, sqlstate in (
        ({"synchronous_commit": "off"}, "PS008"),
        ({"postil__tenant": "another"}, "PS007"),
    ):
        with pytest.raises(psycopg.Error) as refused:
            session_of(**settings).execute(statement, {"run": busy})
        assert refused.value.sqlstate == sqlstate
    assert record.traces() == before
    session_of(synchronous_commit="local", postil__tenant="default").execute(statement, {"run": busy})


def test_a_session_that_is_not_durable_is_told_so_in_python_too(
    write_url: str, record: Any, busy: str
) -> None:
    engine = create_engine(sqlalchemy_url(write_url))
    postil = Postil(engine)
    with engine.begin() as connection:
        connection.execute(text("set local synchronous_commit = off"))
        with pytest.raises(errors.NotDurable):
            postil.on(connection).annotate(busy, {"a": 1})
        connection.rollback()
    postil.close()


async def test_the_async_form_refuses_alike(async_postil: AsyncPostil, record: Any, busy: str) -> None:
    with pytest.raises(errors.InvalidAnnotation):
        await async_postil.annotate(busy, {"A": 1})
    with pytest.raises(errors.RunNotFound):
        await async_postil.annotate("nobody", {"a": 1})
    assert record.keys(busy) == []


# ---------------------------------------------------------------------- straight to the SQL functions


FUNCTIONS = """
select p.proname, pg_get_function_arguments(p.oid) from pg_proc p
 where p.pronamespace = 'postil'::regnamespace and p.proname not like E'\\\\_%%' and p.prorettype <> 'trigger'::regtype
   and p.proname not in ('uuidv7', 'envelope') and p.proname not like 'relay%%' order by 1
"""


def test_null_for_any_argument_of_any_function_is_fine_or_a_typed_refusal(
    write_url: str, record: Any, busy: str
) -> None:
    """Every argument in turn is null and the others are sensible."""
    sensible = {
        "tenant": "default", "run_id": busy, "name": "n", "stage_id": "x", "tool_call_id": "x", "interaction_id": "x",
        "prompt": "?", "annotations": Jsonb([{"key": "a", "value": 1}]), "batch": Jsonb([]), "histories": Jsonb([]),
        "answer": Jsonb(1), "kind": "question", "ahead": 1,
    }  # fmt: skip
    tried = 0
    with psycopg.connect(write_url) as connection:
        for name, arguments in record.sql(FUNCTIONS):
            parameters = [part.split()[0] for part in arguments.split(", ")]
            types = [part.split(" DEFAULT ")[0].split(maxsplit=1)[1] for part in arguments.split(", ")]
            for without in parameters:
                given = {p: sensible.get(p) for p in parameters if (p in sensible or p == without)} | {
                    without: None
                }
                passed = ", ".join(f"{p} => %({p})s::{types[parameters.index(p)]}" for p in given)
                try:
                    connection.execute(f"select * from postil.{name}({passed})", given)  # type: ignore[arg-type]
                except psycopg.Error as refused:
                    assert str(refused.sqlstate).startswith("PS"), f"{name} without {without}: {refused}"  # noqa: PT017
                connection.rollback()
                tried += 1
    assert tried > 100


def item(more: str) -> str:
    return f'[{{"key": "a", "value": 1{more}}}]'


@pytest.mark.parametrize(
    ("annotations", "sqlstate", "field"),
    [
        ("null", "PS005", "annotations"),
        ("{}", "PS005", "annotations"),
        ('"x"', "PS005", "annotations"),
        ("[null]", "PS005", "annotations[0]"),
        ("[5]", "PS005", "annotations[0]"),
        ("[{}]", "PS005", "annotations[0].key"),
        ('[{"key": 5, "value": 1}]', "PS005", "annotations[0].key"),
        ('[{"key": "", "value": 1}]', "PS005", "annotations[0].key"),
        ('[{"key": "%s", "value": 1}]' % ("x" * 3000), "PS005", "annotations[0].key"),
        ('[{"key": "Upper", "value": 1}]', "PS005", "annotations[0].key"),
        ('[{"key": "a|b", "value": 1}]', "PS005", "annotations[0].key"),
        ('[{"key": "a"}]', "PS005", "annotations[0].value"),
        ('[{"key": "a", "value": 1}, {"key": "a", "value": 1, "colour": 1}]', "PS005", "annotations[1].colour"),
        (item(', "a|b": 1'), "PS005", "annotations[0].a|b"),
        (item(', "actor": 5'), "PS017", "annotations[0].actor"),
        (item(', "actor": {"id": "x"}'), "PS017", "annotations[0].actor.kind"),
        (item(', "actor": {"kind": "user", "id": 5}'), "PS017", "annotations[0].actor.id"),
        (item(', "actor": {"kind": "user", "mail": "x"}'), "PS017", "annotations[0].actor.mail"),
        (item(', "scope": 5'), "PS005", "annotations[0].scope"),
        (item(', "attempt": 1.5'), "PS005", "annotations[0].attempt"),
        (item(', "attempt": 99999999999999999999'), "PS005", "annotations[0].attempt"),
        (item(', "attempt": 2'), "PS005", "annotations[0].attempt"),
        (item(', "group": "x"'), "PS005", "annotations[0].group"),
        (item(', "stage_id": "unheard"'), "PS009", "annotations[0].stage_id"),
        (item(', "recorded_at": "yesterday"'), "PS017", "annotations[0].recorded_at"),
        (item(', "recorded_at": "2020-01-01T00:00:00"'), "PS017", "annotations[0].recorded_at"),
        (item(', "recorded_at": "2020-01-01T00:00:00+99"'), "PS017", "annotations[0].recorded_at"),
        (item(', "recorded_at": "infinity"'), "PS017", "annotations[0].recorded_at"),
        (item(', "recorded_at": "0000-01-01T00:00:00Z"'), "PS017", "annotations[0].recorded_at"),
        (item(', "recorded_at": "2020-13-01T00:00:00Z"'), "PS017", "annotations[0].recorded_at"),
        ('[{"key": "a", "value": 1e400}]', "PS005", "annotations[0].value"),
        ('[{"key": "a", "value": [-1e2000]}]', "PS005", "annotations[0].value"),
        (item(', "payload": 1e100000'), "PS005", "annotations[0].payload"),
        ('[{"key": "a", "value": 1e100000}]', "PS006", "annotations[0].value"),
        ('[{"key": "a", "value": "%s"}]' % ("\\u0001" * 4000), "PS006", "annotations[0].value"),
        ('[{"key": "a", "value": %s}]' % ("[" * 65 + "]" * 65), "PS005", "annotations[0].value"),
        ('[{"key": "a", "value": %s}]' % ("[" * 3000 + "]" * 3000), "PS005", "annotations[0].value"),
        (item(', "payload": ' + '{"a":' * 65 + "1" + "}" * 65), "PS005", "annotations[0].payload"),
    ],
)  # fmt: skip
def test_malformed_annotations_are_refused_by_the_database_itself(
    write_url: str, record: Any, run: str, annotations: str, sqlstate: str, field: str
) -> None:
    before = record.traces()
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("select * from postil.annotate('default', %s, %s)", [run, annotations])
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == (sqlstate, field)
    assert record.traces() == before


@pytest.mark.parametrize(
    "when", ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "10000-01-01 00:00:00Z", "294276-12-31Z"]
)
def test_times_no_reader_could_spell_are_refused_by_the_database_itself(
    write_url: str, record: Any, run: str, when: str
) -> None:
    before = record.traces()
    with psycopg.connect(write_url, autocommit=True) as connection:
        for call in (
            'annotate(\'default\', %(run)s, \'[{"key": "a", "value": 1}]\', recorded_at => %(at)s::timestamptz)',
            "start_stage('default', %(run)s, 's', recorded_at => %(at)s::timestamptz)",
            "finish_run('default', %(run)s, recorded_at => %(at)s::timestamptz)",
            "record_tool_call('default', %(run)s, 't', recorded_at => %(at)s::timestamptz)",
        ):
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(f"select * from postil.{call}", {"run": run, "at": when})
            assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("PS017", "recorded_at")
    assert record.traces() == before


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ("{}", "batch"),
        ("[5]", "batch[0]"),
        ("[{}]", "batch[0].run_id"),
        ('[{"run_id": 5, "annotations": []}]', "batch[0].run_id"),
        ('[{"run_id": "r"}]', "batch[0].annotations"),
        ('[{"run_id": "r", "annotations": [], "live": "yes"}]', "batch[0].live"),
        ('[{"run_id": "r", "annotations": [], "colour": 1}]', "batch[0].colour"),
        ('[{"run_id": "r", "annotations": [], "stage_id": 5}]', "batch[0].stage_id"),
        ('[{"run_id": "r", "annotations": [], "actor": 5}]', "batch[0].actor"),
        (
            '[{"run_id": "r", "annotations": []}, {"run_id": "r", "annotations": [{}]}]',
            "batch[1].annotations[0].key",
        ),
    ],
)
def test_a_malformed_batch_is_refused_by_the_database_itself(
    write_url: str, record: Any, batch: str, field: str
) -> None:
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("select * from postil.annotate_many('default', %s)", [batch])
    assert (refused.value.sqlstate[:2], refused.value.diag.message_detail) == ("PS", field)  # type: ignore[index]


@pytest.mark.parametrize("tenant", ["", "Upper", "a/b", "-a", "x" * 64, "a\n"])
def test_a_tenants_name_is_plain(write_url: str, tenant: str) -> None:
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("select postil.create_tenant(%s)", [tenant])
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("PS017", "tenant")
