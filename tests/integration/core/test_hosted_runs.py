"""Hosting a run: its stages and notes, its failures and cancellations, sync and async alike."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from postil import (
    AsyncHostedRun,
    AsyncPostil,
    Decision,
    Failure,
    HostedRun,
    Postil,
    Trigger,
    agent,
    errors,
    user,
)
from postil.postgres import sqlalchemy_url


class Oops(Exception):
    """What goes wrong in the hosted work."""


class Host:
    """The same work, hosted by `Postil` or by `AsyncPostil`: what is said of one holds for the other."""

    def __init__(self, postil: Postil, async_url: str | None) -> None:
        self._postil, self._async_url = postil, async_url

    def host(
        self,
        work: Callable[[Any], Any],
        *,
        in_stage: Callable[[Any], Any] | None = None,
        stages: int = 1,
        **run: Any,
    ) -> str:
        """Host a run with `stages` nested stages; `work` gets the run, `in_stage` the innermost stage."""
        if self._async_url is None:
            return self._sync(work, in_stage, stages, run)
        return asyncio.run(self._async(self._async_url, work, in_stage, stages, run))

    def _sync(self, work: Any, in_stage: Any, stages: int, given: dict[str, Any]) -> str:
        with self._postil.run("hosted", **given) as run, contextlib.ExitStack() as stack:
            assert isinstance(run, HostedRun)
            work(run)
            if in_stage:
                opened = [stack.enter_context(run.stage("s")) for _ in range(stages)]
                for n, stage in enumerate(opened):
                    stage.annotate({f"note{n}": n})
                in_stage(opened[-1])
        return run.id

    async def _async(self, url: str, work: Any, in_stage: Any, stages: int, given: dict[str, Any]) -> str:
        postil = AsyncPostil(url)
        try:
            async with postil.run("hosted", **given) as run, contextlib.AsyncExitStack() as stack:
                assert isinstance(run, AsyncHostedRun)
                work(run)
                if in_stage:
                    opened = [await stack.enter_async_context(run.stage("s")) for _ in range(stages)]
                    for n, stage in enumerate(opened):
                        stage.annotate({f"note{n}": n})
                    in_stage(opened[-1])
            return run.id
        finally:
            await postil.close()


@pytest.fixture(params=["sync", "async"])
def host(request: pytest.FixtureRequest, postil: Postil, write_url: str) -> Callable[..., str]:
    """Hosts a run, in either form."""
    return Host(postil, write_url if request.param == "async" else None).host


def nothing(_: object) -> None:
    """Work that is done at once."""


def fail(_: object) -> None:
    """Work that goes wrong."""
    raise Oops("it\x00broke")


def test_a_hosted_run_is_created_and_completed_with_its_result(host: Any, record: Any) -> None:
    run_id = host(
        lambda run: run.complete({"n": 1}),
        trigger=Trigger("api"),
        input=[1],
        actor=agent("a"),
        metadata={"m": 1},
    )
    created, completed = record.events(run_id)
    assert (created[1]["name"], created[1]["trigger"]["source"], created[1]["input"]) == (
        "hosted",
        "api",
        [1],
    )
    assert (completed[0], completed[1]["result"]) == ("run:completed", {"n": 1})


def test_the_notes_of_a_stage_are_flushed_with_its_end_in_one_transaction(host: Any, record: Any) -> None:
    run_id = host(
        nothing, in_stage=lambda stage: stage.annotate(Decision(outcome="x"), {"b": 1}), actor=agent("a")
    )
    assert record.types(run_id) == [
        "run:created", "stage:started", *["annotation:created"] * 3, "stage:completed", "run:completed",
    ]  # fmt: skip
    xids = record.sql("select run_seq, xid::text from postil.event where run_id = %s order by 1", run_id)
    assert len({xid for seq, xid in xids if 3 <= seq <= 6}) == 1
    assert {
        data["actor"]["id"] for type_, data in record.events(run_id) if type_ == "annotation:created"
    } == {"a"}


def test_a_failure_keeps_what_was_noted_adds_its_own_notes_and_goes_on_its_way(
    host: Any, record: Any
) -> None:
    seen: list[str] = []
    with pytest.raises(Oops) as raised:
        host(lambda run: seen.append(run.id), in_stage=fail, stages=2)
    (run_id,) = seen
    assert str(raised.value) == "it\x00broke"
    assert not hasattr(raised.value, "__notes__")
    assert record.types(run_id) == [
        "run:created", "stage:started", "stage:started",
        "annotation:created", "annotation:created", "annotation:created", "stage:failed",
        "annotation:created", "annotation:created", "annotation:created", "stage:failed",
        "run:failed",
    ]  # fmt: skip
    assert record.keys(run_id) == [
        "note1",
        "failure.type",
        "failure.message",
        "note0",
        "failure.type",
        "failure.message",
    ]
    error = record.events(run_id)[-1][1]["error"]
    assert (error["type"], error["message"], error["where"].split(",")[0]) == ("Oops", "it\\0broke", "fail")
    stages = record.sql("select id, name from postil.stage where run_id = %s order by id", run_id)
    assert stages == [("s", "s"), ("s~2", "s")], "a repeated step is a stage of its own"


def test_a_bad_note_is_refused_where_it_is_made(host: Any, record: Any) -> None:
    seen: list[str] = []

    def note(stage: Any) -> None:
        with pytest.raises(errors.InvalidAnnotation) as refused:
            stage.annotate({"good": 1}, {"bad": float("nan")})
        assert refused.value.field == "annotations[1].value"
        seen.append("refused")

    run_id = host(nothing, in_stage=note)
    assert seen == ["refused"]
    assert record.keys(run_id) == ["note0"]


def test_a_cancelled_run_takes_no_end_and_hands_back_every_note(
    host: Any, postil: Postil, record: Any
) -> None:
    def cancel(stage: Any) -> None:
        stage.annotate(Decision(outcome="x", rationale="y", payload={"p": 1}))
        (run_id,) = seen
        postil.cancel_run(run_id, actor=user("ada"))

    seen: list[str] = []
    with pytest.raises(errors.RunCancelled) as cancelled:
        host(lambda run: seen.append(run.id), in_stage=cancel, stages=2, actor=agent("a"))
    (run_id,) = seen
    assert record.keys(run_id) == [], "nothing of a stage is half stored"
    unflushed = cancelled.value.unflushed
    assert [(note.key, note.stage_id) for note in unflushed] == [
        ("note1", "s~2"), ("decision.outcome", "s~2"), ("decision.rationale", "s~2"), ("note0", "s"),
    ]  # fmt: skip
    assert record.types(run_id)[-1] == "run:cancelled"

    postil.annotate(run_id, *unflushed, Failure(type="x", message="y"))
    rows = record.sql(
        "select key, stage_id, payload, actor_id, group_id from postil.annotation where run_id = %s order by run_seq",
        run_id,
    )
    assert [(key, stage, payload, actor) for key, stage, payload, actor, _ in rows] == [
        ("note1", "s~2", None, "a"),
        ("decision.outcome", "s~2", {"p": 1}, "a"),
        ("decision.rationale", "s~2", None, "a"),
        ("note0", "s", None, "a"),
        ("failure.type", None, None, None),
        ("failure.message", None, None, None),
    ]
    groups = [group for *_, group in rows]
    assert groups[1] == groups[2]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 4, "notes handed back keep to their own groups"


def test_a_failure_in_a_cancelled_run_tells_of_both(host: Any, postil: Postil) -> None:
    seen: list[str] = []

    def cancel_and_fail(_: object) -> None:
        postil.cancel_run(seen[0])
        fail(None)

    with pytest.raises(errors.RunCancelled) as cancelled:
        host(lambda run: seen.append(run.id), in_stage=cancel_and_fail)
    assert [note.key for note in cancelled.value.unflushed] == ["note0"]
    causes = [cancelled.value.__context__]
    while causes[-1] is not None:
        causes.append(causes[-1].__context__)
    assert any(isinstance(cause, Oops) for cause in causes)


def test_a_refusal_about_another_run_fails_this_one(host: Any, postil: Postil, record: Any, run: str) -> None:
    """The other run's end is not this one's: it must not be left running for ever, nor its notes be lost."""
    postil.cancel_run(run)
    seen: list[str] = []
    with pytest.raises(errors.RunCancelled) as refused:
        host(lambda own: seen.append(own.id), in_stage=lambda _: postil.annotate(run, {"a": 1}, live=True))
    assert refused.value.unflushed == ()
    assert record.status(seen[0]) == "failed"
    assert record.keys(seen[0])[0] == "note0"


def test_a_run_that_somebody_else_finished_says_so(host: Any, postil: Postil, record: Any) -> None:
    seen: list[str] = []
    with pytest.raises(errors.RunFinished):
        host(lambda run: (seen.append(run.id), postil.finish_run(run.id, result="theirs")))
    assert record.types(seen[0]) == ["run:created", "run:completed"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupted_run_is_cancelled_and_the_interruption_goes_on(
    postil: Postil, record: Any, interruption: type[BaseException]
) -> None:
    def work() -> None:
        with postil.run("hosted") as run:
            seen.append(run.id)
            with run.stage("s") as stage:
                stage.annotate({"a": 1})
                raise interruption

    seen: list[str] = []
    with pytest.raises(interruption):
        work()
    assert record.keys(seen[0]) == ["a", "failure.type", "failure.message", "cancellation.reason"]
    assert record.types(seen[0])[-1] == "run:cancelled"


async def test_a_cancelled_task_is_recorded_and_stays_cancelled(
    async_postil: AsyncPostil, record: Any
) -> None:
    started = asyncio.Event()
    seen: list[str] = []

    async def work() -> None:
        async with async_postil.run("hosted") as run, run.stage("s") as stage:
            seen.append(run.id)
            stage.annotate({"a": 1})
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert record.types(seen[0])[-1] == "run:cancelled"
    assert record.keys(seen[0])[0] == "a"


async def test_a_timeout_around_a_hosted_run_stays_a_timeout(async_postil: AsyncPostil, record: Any) -> None:
    seen: list[str] = []

    async def work() -> None:
        async with asyncio.timeout(0.01):
            async with async_postil.run("hosted") as run:
                seen.append(run.id)
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
    if seen:  # else it was up before the run began
        assert record.types(seen[0])[-1] == "run:cancelled"


async def test_an_interruption_of_a_cancelled_run_is_not_replaced(
    async_postil: AsyncPostil, postil: Postil, record: Any
) -> None:
    """asyncio counts on its CancelledError to come back."""

    async def work() -> None:
        async with async_postil.run("hosted") as run, run.stage("s") as stage:
            stage.annotate({"a": 1})
            postil.cancel_run(run.id)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError) as interrupted:
        await work()
    assert "was cancelled" in "".join(interrupted.value.__notes__)


@pytest.fixture
def cuttable(write_url: str) -> tuple[Postil, Callable[[], None]]:
    """A writer, and what makes the database unreachable for it."""
    engine = create_engine(sqlalchemy_url(write_url), poolclass=NullPool)

    def refuse(*_: object) -> None:
        raise psycopg.OperationalError("the wire is cut")

    return Postil(engine), lambda: event.listen(engine, "do_connect", refuse)


def test_a_failure_that_cannot_be_recorded_keeps_the_original_and_says_so(
    cuttable: tuple[Postil, Callable[[], None]],
) -> None:
    postil, cut = cuttable

    def work() -> None:
        with postil.run("hosted") as run, run.stage("s"):
            cut()
            raise Oops("the work's own")

    with pytest.raises(Oops, match="the work's own") as raised:
        work()
    assert len(raised.value.__notes__) == 2
    assert all("could not record this failure" in note for note in raised.value.__notes__)


def test_a_stage_that_cannot_be_completed_hands_its_notes_back(
    cuttable: tuple[Postil, Callable[[], None]],
) -> None:
    postil, cut = cuttable

    def work() -> None:
        with postil.run("hosted") as run, run.stage("s") as stage:
            stage.annotate({"a": 1})
            cut()

    with pytest.raises(errors.Unavailable) as raised:
        work()
    assert [note.key for note in raised.value.unflushed] == ["a"]


async def test_a_second_cancellation_does_not_keep_the_first_from_being_recorded(
    async_postil: AsyncPostil, postil: Postil, write_url: str, record: Any
) -> None:
    started = asyncio.Event()
    seen: list[str] = []

    async def work() -> None:
        async with async_postil.run("hosted") as run:
            seen.append(run.id)
            started.set()
            await asyncio.Event().wait()

    def until(query: str, wanted: object) -> None:
        while record.one(query, seen[0]) != wanted:
            pass  # the test's own timeout is the deadline

    task = asyncio.create_task(work())
    await started.wait()
    engine = create_engine(sqlalchemy_url(write_url))
    with engine.begin() as holder:
        postil.on(holder).annotate(seen[0], {"held": 1})
        task.cancel()
        waiting = (
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and query like '%%cancel_run%%' and %s <> ''"
        )
        await asyncio.to_thread(until, waiting, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.to_thread(until, "select status from postil.run where id = %s", "cancelled")
    engine.dispose()


def test_an_error_that_cannot_describe_itself_is_recorded_all_the_same(postil: Postil, record: Any) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def work() -> None:
        with postil.run("hosted") as run:
            seen.append(run.id)
            raise Mute

    seen: list[str] = []
    with pytest.raises(Mute):
        work()
    assert record.events(seen[0])[-1][1]["error"]["message"].endswith("without a description>")


def test_notes_are_written_through_at_once_where_that_is_asked(postil: Postil, record: Any) -> None:
    with postil.run("hosted") as run, run.stage("s") as stage:
        stage.annotate({"later": 1})
        (done,) = stage.annotate({"now": 1}, durable=True, idempotency_key="k")
        assert record.keys(run.id) == ["now"]
        assert not stage.annotate({"now": 1}, durable=True, idempotency_key="k")[0].created
        (direct,) = run.annotate({"on.the.run": 1})
        assert (done.run_seq, direct.run_seq) == (3, 4)
    assert record.keys(run.id) == ["now", "on.the.run", "later"]


async def test_notes_are_written_through_at_once_in_the_async_form(
    async_postil: AsyncPostil, record: Any
) -> None:
    async with async_postil.run("hosted") as run, run.stage("s") as stage:
        await stage.annotate_durable({"now": 1})
        await run.annotate({"on.the.run": 1})
        assert record.keys(run.id) == ["now", "on.the.run"]
        stage.complete([1])
    assert record.one("select result from postil.stage where run_id = %s", run.id) == [1]


def test_a_run_hosted_by_a_generator_ends_well_though_it_is_closed_elsewhere(
    postil: Postil, record: Any
) -> None:
    """As a web framework does with a dependency: begun in one context, closed in another."""

    def dependency() -> Iterator[str]:
        with postil.run("hosted") as run, run.stage("s"):
            yield run.id

    generator = dependency()
    run_id = contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(next, generator, None)
    assert record.types(run_id)[-1] == "run:completed"


async def test_an_async_run_hosted_by_a_generator_ends_well(async_postil: AsyncPostil, record: Any) -> None:
    async def dependency() -> AsyncIterator[str]:
        async with async_postil.run("hosted") as run:
            yield run.id

    generator = dependency()
    run_id = await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    assert record.types(run_id)[-1] == "run:completed"
