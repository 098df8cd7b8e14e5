"""Interruptions and failures of hosted runs: each is recorded, and none replaces the original exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from postil import AsyncPostil, Postil, errors
from postil.postgres import sqlalchemy_url


class Oops(Exception):
    """What goes wrong in the hosted work."""


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupted_run_is_cancelled(
    postil: Postil, record: Any, interruption: type[BaseException]
) -> None:
    """KeyboardInterrupt and CancelledError cancel the run and propagate."""

    def work() -> None:
        with postil.run("hosted") as run:
            run_ids.append(run.id)
            with run.stage("s") as stage:
                stage.annotate({"a": 1})
                raise interruption

    run_ids: list[str] = []
    with pytest.raises(interruption):
        work()
    assert record.keys(run_ids[0]) == ["a", "failure.type", "failure.message", "cancellation.reason"]
    assert record.types(run_ids[0])[-1] == "run:cancelled"


async def test_a_cancelled_task_stays_cancelled(async_postil: AsyncPostil, record: Any) -> None:
    """Recording the cancellation does not swallow it."""
    started = asyncio.Event()
    run_ids: list[str] = []

    async def work() -> None:
        async with async_postil.run("hosted") as run, run.stage("s") as stage:
            run_ids.append(run.id)
            stage.annotate({"a": 1})
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert record.types(run_ids[0])[-1] == "run:cancelled"
    assert record.keys(run_ids[0])[0] == "a"


async def test_a_timeout_around_a_run_stays_a_timeout(async_postil: AsyncPostil, record: Any) -> None:
    """`asyncio.timeout` raises TimeoutError, and the run is cancelled."""
    run_ids: list[str] = []

    async def work() -> None:
        async with asyncio.timeout(0.01):
            async with async_postil.run("hosted") as run:
                run_ids.append(run.id)
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
    if run_ids:  # else it was up before the run began
        assert record.types(run_ids[0])[-1] == "run:cancelled"


async def test_an_interruption_is_not_replaced(
    async_postil: AsyncPostil, postil: Postil, record: Any
) -> None:
    """asyncio needs its CancelledError back, with a note that the run was cancelled already."""

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
    """A client, and a function that makes the database unreachable for it."""
    engine = create_engine(sqlalchemy_url(write_url), poolclass=NullPool)

    def refuse(*_: object) -> None:
        raise psycopg.OperationalError("the wire is cut")

    return Postil(engine), lambda: event.listen(engine, "do_connect", refuse)


def test_an_unrecorded_failure_keeps_the_original(
    cuttable: tuple[Postil, Callable[[], None]],
) -> None:
    """The original exception propagates, with a note for each record that failed."""
    postil, cut = cuttable

    def work() -> None:
        with postil.run("hosted") as run, run.stage("s"):
            cut()
            raise Oops("the work's own")

    with pytest.raises(Oops, match="the work's own") as raised:
        work()
    assert len(raised.value.__notes__) == 2
    assert all("could not record this failure" in note for note in raised.value.__notes__)


def test_an_uncompleted_stage_returns_its_annotations(
    cuttable: tuple[Postil, Callable[[], None]],
) -> None:
    """Unavailable carries the buffered annotations."""
    postil, cut = cuttable

    def work() -> None:
        with postil.run("hosted") as run, run.stage("s") as stage:
            stage.annotate({"a": 1})
            cut()

    with pytest.raises(errors.Unavailable) as raised:
        work()
    assert [annotation.key for annotation in raised.value.unflushed] == ["a"]


async def test_a_second_cancellation_does_not_stop_the_record(
    async_postil: AsyncPostil, postil: Postil, write_url: str, record: Any
) -> None:
    """A cancelled task ends when its record is stored, also if it is cancelled again."""
    started = asyncio.Event()
    run_ids: list[str] = []

    async def work() -> None:
        async with async_postil.run("hosted") as run:
            run_ids.append(run.id)
            started.set()
            await asyncio.Event().wait()

    def until(query: str, expected: object) -> None:
        while record.one(query, run_ids[0]) != expected:
            pass  # the test's own timeout is the deadline

    task = asyncio.create_task(work())
    await started.wait()
    engine = create_engine(sqlalchemy_url(write_url))
    with engine.begin() as holder:
        postil.on(holder).annotate(run_ids[0], {"held": 1})
        task.cancel()
        waiting = (
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and query like '%%cancel_run%%' and %s <> ''"
        )
        await asyncio.to_thread(until, waiting, 1)
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert record.one("select status from postil.run where id = %s", run_ids[0]) == "cancelled"
    engine.dispose()


def test_an_error_without_a_message_is_recorded(postil: Postil, record: Any) -> None:
    """An exception whose str() fails is recorded with a substitute message."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def work() -> None:
        with postil.run("hosted") as run:
            run_ids.append(run.id)
            raise Mute

    run_ids: list[str] = []
    with pytest.raises(Mute):
        work()
    assert record.events(run_ids[0])[-1][1]["error"]["message"].endswith("without a description>")
