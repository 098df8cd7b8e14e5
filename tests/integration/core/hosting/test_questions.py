"""A hosted run asks a question, waits, and continues with the answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from postil import AsyncPostil, Postil, errors, user

ACCEPT = {"outcome": "accept", "note": "fine"}


def pending(record: Any, run_id: str) -> str:
    """Wait until the run asks a question, and return its id; the deadline is the timeout of the test."""
    while not (
        rows := record.sql(
            "select id from postil.interaction where run_id = %s and status = 'pending'", run_id
        )
    ):
        pass
    return str(rows[0][0])


def meanwhile(work: Callable[[], object]) -> threading.Thread:
    """Do the work in another thread while the run waits."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_answer_is_returned_and_the_run_continues(postil: Postil, record: Any) -> None:
    """`ask` returns the answer, and the run is running again."""
    with postil.run("r") as run:
        thread = meanwhile(
            lambda: postil.resolve_interaction(run.id, pending(record, run.id), ACCEPT, actor=user("ada"))
        )
        assert run.ask("Refund 42 EUR?", to="finance") == ACCEPT
        thread.join()
        assert record.status(run.id) == "running"
    assert [type_ for type_ in record.types(run.id) if not type_.startswith("annotation")] == [
        "run:created", "interaction:created", "run:suspended", "interaction:resolved", "run:resumed", "run:completed"
    ]  # fmt: skip


async def test_the_answer_is_returned_in_the_async_form(
    async_postil: AsyncPostil, postil: Postil, record: Any
) -> None:
    """As in the sync form."""
    async with async_postil.run("r") as run:
        asking = asyncio.create_task(run.ask("How many?", kind="question"))
        question = await asyncio.to_thread(pending, record, run.id)
        await async_postil.resolve_interaction(run.id, question, 42)
        assert await asking == 42


def test_a_withdrawn_question_ends_the_wait_only(postil: Postil, record: Any) -> None:
    """`ask` raises InteractionEnded, and the run can continue."""
    with postil.run("r") as run:
        thread = meanwhile(lambda: postil.cancel_interaction(run.id, pending(record, run.id)))
        with pytest.raises(errors.InteractionEnded, match="withdrawn"):
            run.ask("?")
        thread.join()
        assert record.status(run.id) == "running"
    assert record.status(run.id) == "completed"


def test_an_unhandled_withdrawal_fails_the_run(postil: Postil, record: Any) -> None:
    """InteractionEnded fails the run as any other exception does."""

    def work() -> None:
        with postil.run("r") as run:
            run_ids.append(run.id)
            threads.append(meanwhile(lambda: postil.cancel_interaction(run.id, pending(record, run.id))))
            run.ask("?")

    run_ids: list[str] = []
    threads: list[threading.Thread] = []
    with pytest.raises(errors.InteractionEnded):
        work()
    threads[0].join()
    assert record.status(run_ids[0]) == "failed"


@pytest.mark.parametrize(
    ("end", "error", "status"),
    [
        (lambda postil, run_id: postil.cancel_run(run_id), errors.RunCancelled, "cancelled"),
        (lambda postil, run_id: postil.finish_run(run_id, failed=True), errors.RunFinished, "failed"),
    ],
)
def test_the_end_of_a_waiting_run_is_raised(
    postil: Postil, record: Any, end: Callable[[Postil, str], object], error: type[Exception], status: str
) -> None:
    """A run that another process ends while it waits raises the matching error, and ends once."""

    def work() -> None:
        with postil.run("r") as run:
            run_ids.append(run.id)

            def others() -> None:
                pending(record, run.id)
                end(postil, run.id)

            threads.append(meanwhile(others))
            run.ask("?")

    run_ids: list[str] = []
    threads: list[threading.Thread] = []
    with pytest.raises(error):
        work()
    threads[0].join()
    assert record.status(run_ids[0]) == status
    assert record.types(run_ids[0]).count(f"run:{status}") == 1


def test_a_question_is_withdrawn_after_its_timeout(postil: Postil, record: Any) -> None:
    """`ask` raises TimeoutError, and the question is cancelled."""
    with postil.run("r") as run:
        with pytest.raises(TimeoutError, match="within 0 s"):
            run.ask("Are you there?", timeout=0)
        assert record.one("select status from postil.interaction where run_id = %s", run.id) == "cancelled"
        assert record.status(run.id) == "running"


def test_an_earlier_answer_is_returned_at_once(postil: Postil) -> None:
    """A question with the same id that is resolved already needs no wait."""
    with postil.run("r") as run:
        postil.ask(run.id, "?", interaction_id="i")
        postil.resolve_interaction(run.id, "i", ACCEPT)
        assert run.ask("?", interaction_id="i", timeout=0) == ACCEPT


async def test_an_interrupted_wait_cancels_run_and_question(async_postil: AsyncPostil, record: Any) -> None:
    """Cancelling the task that waits cancels both."""

    async def work() -> None:
        async with async_postil.run("r") as run:
            begun.set_result(run.id)
            await run.ask("?")

    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(work())
    run_id = await begun
    await asyncio.to_thread(pending, record, run_id)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert record.types(run_id)[-2:] == ["interaction:cancelled", "run:cancelled"]
