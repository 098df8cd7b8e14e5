"""Hosted runs: their stages and annotations, their end and their failures, sync and async alike."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

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


class Oops(Exception):
    """What goes wrong in the hosted work."""


class Host:
    """The same work, hosted by `Postil` or by `AsyncPostil`."""

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

    def _sync(self, work: Any, in_stage: Any, stages: int, arguments: dict[str, Any]) -> str:
        with self._postil.run("hosted", **arguments) as run, contextlib.ExitStack() as stack:
            assert isinstance(run, HostedRun)
            work(run)
            if in_stage:
                opened = [stack.enter_context(run.stage("s")) for _ in range(stages)]
                for n, stage in enumerate(opened):
                    stage.annotate({f"note{n}": n})
                in_stage(opened[-1])
        return run.id

    async def _async(self, url: str, work: Any, in_stage: Any, stages: int, arguments: dict[str, Any]) -> str:
        postil = AsyncPostil(url)
        try:
            async with postil.run("hosted", **arguments) as run, contextlib.AsyncExitStack() as stack:
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
    """Work that does nothing."""


def fail(_: object) -> None:
    """Work that fails."""
    raise Oops("it\x00broke")


def test_a_hosted_run_is_created_and_completed(host: Any, record: Any) -> None:
    """Entry creates the run with its fields, exit completes it with its result."""
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


def test_annotations_are_written_with_the_stages_end(host: Any, record: Any) -> None:
    """The buffered annotations of a stage and its end are one transaction."""
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


def test_a_failure_keeps_the_buffered_annotations(host: Any, record: Any) -> None:
    """A failing stage writes its annotations and failure.*, and the exception propagates unchanged."""
    run_ids: list[str] = []
    with pytest.raises(Oops) as raised:
        host(lambda run: run_ids.append(run.id), in_stage=fail, stages=2)
    (run_id,) = run_ids
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
    assert stages == [("s", "s"), ("s~2", "s")], "a repeated step is a separate stage"


def test_stage_ids_of_a_run_never_collide(postil: Postil, record: Any) -> None:
    """A repeated step gets an id that no other stage of the run has, also not one that the caller named."""
    with postil.run("hosted") as run:
        for name, stage_id in [("Check~2", None), ("Check", None), ("Other", "Check~3"), ("Check", None)]:
            with run.stage(name, stage_id=stage_id):
                pass
    stages = record.sql("select id, name from postil.stage where run_id = %s order by id", run.id)
    assert stages == [("Check", "Check"), ("Check~2", "Check~2"), ("Check~3", "Other"), ("Check~4", "Check")]


def test_a_malformed_annotation_is_refused_at_once(host: Any, record: Any) -> None:
    """The error is raised by `annotate`, and not by the end of the stage."""
    run_ids: list[str] = []

    def note(stage: Any) -> None:
        with pytest.raises(errors.InvalidAnnotation) as refused:
            stage.annotate({"good": 1}, {"bad": float("nan")})
        assert refused.value.field == "annotations[1].value"
        run_ids.append("refused")

    run_id = host(nothing, in_stage=note)
    assert run_ids == ["refused"]
    assert record.keys(run_id) == ["note0"]


def test_a_cancelled_run_returns_every_annotation(host: Any, postil: Postil, record: Any) -> None:
    """The error carries all unsaved annotations, which can be written as they are."""

    def cancel(stage: Any) -> None:
        stage.annotate(Decision(outcome="x", rationale="y", payload={"p": 1}))
        (run_id,) = run_ids
        postil.cancel_run(run_id, actor=user("ada"))

    run_ids: list[str] = []
    with pytest.raises(errors.RunCancelled) as cancelled:
        host(lambda run: run_ids.append(run.id), in_stage=cancel, stages=2, actor=agent("a"))
    (run_id,) = run_ids
    assert record.keys(run_id) == [], "nothing of a stage is half stored"
    unflushed = cancelled.value.unflushed
    assert [(annotation.key, annotation.stage_id) for annotation in unflushed] == [
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


def test_a_failure_in_a_cancelled_run_shows_both(host: Any, postil: Postil) -> None:
    """RunCancelled is raised with the original failure as its context."""
    run_ids: list[str] = []

    def cancel_and_fail(_: object) -> None:
        postil.cancel_run(run_ids[0])
        fail(None)

    with pytest.raises(errors.RunCancelled) as cancelled:
        host(lambda run: run_ids.append(run.id), in_stage=cancel_and_fail)
    assert [annotation.key for annotation in cancelled.value.unflushed] == ["note0"]
    causes = [cancelled.value.__context__]
    while causes[-1] is not None:
        causes.append(causes[-1].__context__)
    assert any(isinstance(cause, Oops) for cause in causes)


def test_a_refusal_about_another_run_fails_this_one(host: Any, postil: Postil, record: Any, run: str) -> None:
    """The end of the other run is not the end of this one, which must neither stay open nor lose its annotations."""
    postil.cancel_run(run)
    run_ids: list[str] = []
    with pytest.raises(errors.RunCancelled) as refused:
        host(lambda own: run_ids.append(own.id), in_stage=lambda _: postil.annotate(run, {"a": 1}, live=True))
    assert refused.value.unflushed == ()
    assert record.status(run_ids[0]) == "failed"
    assert record.keys(run_ids[0])[0] == "note0"


def test_a_run_finished_by_another_process_raises(host: Any, postil: Postil, record: Any) -> None:
    """The end of the block raises RunFinished, and writes no second end."""
    run_ids: list[str] = []
    with pytest.raises(errors.RunFinished):
        host(lambda run: (run_ids.append(run.id), postil.finish_run(run.id, result="theirs")))
    assert record.types(run_ids[0]) == ["run:created", "run:completed"]


def test_durable_annotations_are_written_at_once(postil: Postil, record: Any) -> None:
    """``durable=True`` and `HostedRun.annotate` write before the stage ends."""
    with postil.run("hosted") as run, run.stage("s") as stage:
        stage.annotate({"later": 1})
        (done,) = stage.annotate({"now": 1}, durable=True, idempotency_key="k")
        assert record.keys(run.id) == ["now"]
        assert not stage.annotate({"now": 1}, durable=True, idempotency_key="k")[0].created
        (direct,) = run.annotate({"on.the.run": 1})
        assert (done.run_seq, direct.run_seq) == (3, 4)
    assert record.keys(run.id) == ["now", "on.the.run", "later"]


async def test_async_durable_annotations_are_written_at_once(async_postil: AsyncPostil, record: Any) -> None:
    """As in the sync form."""
    async with async_postil.run("hosted") as run, run.stage("s") as stage:
        await stage.annotate_durable({"now": 1})
        await run.annotate({"on.the.run": 1})
        assert record.keys(run.id) == ["now", "on.the.run"]
        stage.complete([1])
    assert record.one("select result from postil.stage where run_id = %s", run.id) == [1]


def test_a_generator_may_be_closed_in_another_context(postil: Postil, record: Any) -> None:
    """A dependency of a web framework is started in one context and closed in another."""

    def dependency() -> Iterator[str]:
        with postil.run("hosted") as run, run.stage("s"):
            yield run.id

    generator = dependency()
    run_id = contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(next, generator, None)
    assert record.types(run_id)[-1] == "run:completed"


async def test_an_async_generator_may_be_closed_in_another_task(
    async_postil: AsyncPostil, record: Any
) -> None:
    """An async dependency of a web framework is started and closed in different tasks."""

    async def dependency() -> AsyncIterator[str]:
        async with async_postil.run("hosted") as run:
            yield run.id

    generator = dependency()
    run_id = await asyncio.create_task(anext(generator))
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext(generator))
    assert record.types(run_id)[-1] == "run:completed"
