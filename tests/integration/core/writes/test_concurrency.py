"""Many writers at once, under every isolation level, with and without prepared statements."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from postil import Decision, Postil, errors
from postil.postgres import sqlalchemy_url
from postil.postgres.migrate import migrate

ISOLATION = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Do all of it at the same moment; answers what failed."""
    failures: list[BaseException] = []
    together = threading.Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        try:
            together.wait(30)
            work()
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def insist(work: Callable[[], object]) -> None:
    """Run a transaction again for as long as it loses a race, as `Retryable` says."""
    while True:
        try:
            work()
        except errors.Retryable:
            continue
        return


@pytest.mark.parametrize("isolation", ISOLATION)
def test_many_writers_to_few_runs_leave_gapless_numbers_in_the_order_of_positions(
    write_url: str, postil: Postil, record: Any, isolation: str
) -> None:
    engine = create_engine(sqlalchemy_url(write_url), isolation_level=isolation, pool_size=10)
    writer = Postil(engine)
    runs = [f"busy-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for run_id in runs:
        postil.create_run(run_id)

    def write(n: int) -> None:
        for i in range(8):
            run_id, stage = runs[(n + i) % 3], f"{n}-{i}"
            insist(partial(writer.annotate, run_id, Decision(outcome="a", rationale="b")))
            insist(partial(writer.start_stage, run_id, stage))
            insist(partial(writer.complete_stage, run_id, stage, {"x": n}))

    assert at_once(*(lambda n=n: write(n) for n in range(6))) == []
    # Each writer left five events each time; `events` itself checks that the numbers are gapless and the positions follow.
    assert sum(len(record.events(run_id)) for run_id in runs) == 3 + 6 * 8 * 5
    for run_id in runs:
        assert record.one("select head from postil.run where id = %s", run_id) == len(record.events(run_id))
    engine.dispose()


@pytest.fixture
def two(write_url: str) -> Iterator[tuple[Engine, Postil]]:
    engine = create_engine(sqlalchemy_url(write_url))
    yield engine, Postil(engine)
    engine.dispose()


@pytest.mark.parametrize("isolation", ISOLATION[1:])
def test_a_serialisation_failure_is_retryable_and_says_so(
    two: tuple[Engine, Postil], postil: Postil, record: Any, run: str, isolation: str
) -> None:
    engine, writer = two
    with engine.connect().execution_options(isolation_level=isolation) as connection:
        connection.execute(text("select 1 from postil.run"))  # the snapshot is taken
        postil.annotate(run, {"theirs": 1})
        for write in (
            lambda: writer.on(connection).annotate(run, {"mine": 1}),
            lambda: writer.on(connection).start_stage(run, "s"),
        ):
            with pytest.raises(errors.Retryable, match="again"):
                write()
            connection.rollback()
            connection.execute(text("select 1 from postil.run"))
            postil.annotate(run, {"theirs.again": 1})
    assert record.keys(run) == ["theirs", "theirs.again", "theirs.again"]


def test_a_deadlock_is_retryable(two: tuple[Engine, Postil], postil: Postil, run: str) -> None:
    engine, writer = two
    postil.create_run(other := f"{run}-other")
    both_hold_one = threading.Barrier(2)

    def cross(first: str, second: str) -> None:
        with engine.begin() as connection:
            writer.on(connection).annotate(first, {"a": 1})
            both_hold_one.wait(30)
            writer.on(connection).annotate(second, {"a": 1})

    failures = at_once(lambda: cross(run, other), lambda: cross(other, run))
    assert [type(failure) for failure in failures] == [errors.Retryable]


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_a_timeout_of_the_callers_is_retryable(
    two: tuple[Engine, Postil], postil: Postil, record: Any, run: str, setting: str
) -> None:
    engine, writer = two
    with engine.begin() as holder, engine.connect() as waiter:
        writer.on(holder).annotate(run, {"held": 1})
        waiter.execute(text(f"set local {setting} = 20"))
        with pytest.raises(errors.Retryable):
            writer.on(waiter).annotate(run, {"waits": 1})
    assert record.keys(run) == ["held"]


def test_it_works_behind_a_pooler_in_transaction_mode(write_url: str, record: Any) -> None:
    """Each transaction on a connection of its own that is wiped, and no prepared statements: nothing may rely on a session."""
    engine = create_engine(
        sqlalchemy_url(write_url), poolclass=NullPool, connect_args={"prepare_threshold": None}
    )

    @event.listens_for(engine, "checkout")
    def wipe(connection: Any, *_: object) -> None:
        connection.autocommit = True
        connection.execute("discard all")
        connection.autocommit = False

    postil = Postil(engine)
    with postil.run("pooled") as run:
        with run.stage("s") as stage:
            stage.annotate({"a": 1}, idempotency_key="k")
        run.annotate({"b": 1})
    assert record.types(run.id) == [
        "run:created", "stage:started", "annotation:created", "stage:completed", "annotation:created", "run:completed"
    ]  # fmt: skip


def test_prepared_statements_outlive_new_functions(write_url: str, record: Any, run: str) -> None:
    with psycopg.connect(write_url, autocommit=True, prepare_threshold=0) as connection:
        call = 'select * from postil.annotate(\'default\', %s, \'[{"key": "a", "value": 1}]\')'
        for _ in range(3):
            connection.execute(call, [run], prepare=True)
        migrate(write_url)
        connection.execute(call, [run], prepare=True)
    assert record.keys(run) == ["a"] * 4


def test_a_write_waits_for_an_uncommitted_one_and_follows_it(
    two: tuple[Engine, Postil], postil: Postil, record: Any, run: str
) -> None:
    engine, writer = two
    with engine.begin() as first:
        writer.on(first).annotate(run, {"first": 1})
        second = threading.Thread(target=lambda: postil.annotate(run, {"second": 1}))
        second.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
        while record.one(waiting, "%postil.annotate%") == 0:
            pass  # the test's own timeout is the deadline
    second.join()
    assert record.keys(run) == ["first", "second"]


@pytest.mark.parametrize(
    ("write", "refusal"),
    [
        (lambda p, r: p.complete_stage(r, "s", {"lost": 1}), errors.RunCancelled),
        (lambda p, r: p.annotate(r, {"lost": 1}, live=True), errors.RunCancelled),
        (lambda p, r: p.start_stage(r, "t"), errors.RunCancelled),
        (lambda p, r: p.record_tool_call(r, "t"), errors.RunCancelled),
        (lambda p, r: p.ask(r, "?"), errors.RunCancelled),
        (lambda p, r: p.finish_run(r), errors.RunCancelled),
        (lambda p, r: p.resolve_interaction(r, "i", 1), errors.InteractionEnded),
    ],
    ids=[
        "complete_stage",
        "annotate live",
        "start_stage",
        "record_tool_call",
        "ask",
        "finish_run",
        "resolve_interaction",
    ],
)
def test_a_write_that_races_a_cancellation_waits_for_it_and_is_refused_wholly(
    two: tuple[Engine, Postil],
    postil: Postil,
    record: Any,
    run: str,
    write: Callable[..., object],
    refusal: type[Exception],
) -> None:
    engine, writer = two
    postil.start_stage(run, "s")
    postil.ask(run, "?", interaction_id="i", kind="question")
    refused: list[BaseException] = []
    with engine.begin() as connection:
        writer.on(connection).cancel_run(run)
        other = threading.Thread(target=lambda: refused.extend(at_once(lambda: write(postil, run))))
        other.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
        while record.one(waiting, "%postil.%") == 0:
            pass  # the test's own timeout is the deadline
    other.join()
    assert [type(one) for one in refused] == [refusal]
    assert record.types(run)[-1] == "run:cancelled"
    assert record.keys(run) == []


def test_an_exhausted_pool_is_unavailable(write_url: str, run: str) -> None:
    engine = create_engine(sqlalchemy_url(write_url), pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(errors.Unavailable, match="free"):
        Postil(engine).annotate(run, {"a": 1})
    engine.dispose()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    postil = Postil("postgresql://postil:secret@127.0.0.1:1/postil")
    with pytest.raises(errors.Unavailable) as refused:
        postil.annotate("run", {"a": 1})
    assert "secret" not in str(refused.value)


def test_a_database_without_the_schema_says_what_to_do(empty_database_url: str) -> None:
    postil = Postil(empty_database_url)
    with pytest.raises(errors.SchemaOutdated, match="postil migrate"):
        postil.annotate("run", {"a": 1})
    postil.close()


def test_a_connection_that_is_cut_is_unavailable_and_the_next_one_works(
    write_url: str, record: Any, run: str
) -> None:
    postil = Postil(f"{write_url}?application_name=cut")
    postil.annotate(run, {"a": 1})
    record.sql("select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'cut'")
    with pytest.raises(errors.Unavailable):
        postil.annotate(run, {"b": 1})
    postil.annotate(run, {"c": 1})
    assert record.keys(run) == ["a", "c"]
    postil.close()
