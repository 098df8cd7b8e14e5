"""Concurrent writers at every isolation level, poolers and prepared statements, and connections that fail."""

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


def run_together(*calls: Callable[[], object]) -> list[BaseException]:
    """Make all calls at the same moment, each in a thread; returns what they raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(calls))

    def begin(call: Callable[[], object]) -> None:
        try:
            barrier.wait(30)
            call()
        except BaseException as error:  # noqa: BLE001 (the test's thread reports it)
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def retry(call: Callable[[], object]) -> None:
    """Make the call again for as long as it raises `Retryable`, as the error advises."""
    while True:
        try:
            call()
        except errors.Retryable:
            continue
        return


@pytest.mark.parametrize("isolation", ISOLATION)
def test_concurrent_writers_leave_run_seqs_without_a_gap(
    write_url: str, postil: Postil, record: Any, isolation: str
) -> None:
    """Six writers to three runs leave each run_seq once, in the order of positions, at every isolation level."""
    engine = create_engine(sqlalchemy_url(write_url), isolation_level=isolation, pool_size=10)
    writer = Postil(engine)
    runs = [f"busy-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for run_id in runs:
        postil.create_run(run_id)

    def write(n: int) -> None:
        for i in range(8):
            run_id, stage = runs[(n + i) % 3], f"{n}-{i}"
            retry(partial(writer.annotate, run_id, Decision(outcome="a", rationale="b")))
            retry(partial(writer.start_stage, run_id, stage))
            retry(partial(writer.complete_stage, run_id, stage, {"x": n}))

    assert run_together(*(lambda n=n: write(n) for n in range(6))) == []
    # Each round of a writer leaves five events. `events` checks that run_seq has no gap and follows the position.
    assert sum(len(record.events(run_id)) for run_id in runs) == 3 + 6 * 8 * 5
    for run_id in runs:
        assert record.one("select head from postil.run where id = %s", run_id) == len(record.events(run_id))
    engine.dispose()


@pytest.fixture
def host(write_url: str) -> Iterator[tuple[Engine, Postil]]:
    """The engine of a host system, and a writer that uses it."""
    engine = create_engine(sqlalchemy_url(write_url))
    yield engine, Postil(engine)
    engine.dispose()


@pytest.mark.parametrize("isolation", ISOLATION[1:])
def test_a_serialisation_failure_is_retryable(
    host: tuple[Engine, Postil], postil: Postil, record: Any, run: str, isolation: str
) -> None:
    """A write that loses to a concurrent one raises `Retryable`, whose message advises to try again."""
    engine, writer = host
    with engine.connect().execution_options(isolation_level=isolation) as connection:
        connection.execute(text("select 1 from postil.run"))  # takes the snapshot
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


def test_a_deadlock_is_retryable(host: tuple[Engine, Postil], postil: Postil, run: str) -> None:
    """Of two transactions that deadlock, one raises `Retryable` and the other commits."""
    engine, writer = host
    postil.create_run(other := f"{run}-other")
    each_holds_one = threading.Barrier(2)

    def lock_both(first: str, second: str) -> None:
        with engine.begin() as connection:
            writer.on(connection).annotate(first, {"a": 1})
            each_holds_one.wait(30)
            writer.on(connection).annotate(second, {"a": 1})

    failures = run_together(lambda: lock_both(run, other), lambda: lock_both(other, run))
    assert [type(failure) for failure in failures] == [errors.Retryable]


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_a_lock_or_statement_timeout_is_retryable(
    host: tuple[Engine, Postil], postil: Postil, record: Any, run: str, setting: str
) -> None:
    """A write that exceeds the session's lock or statement timeout raises `Retryable` and stores nothing."""
    engine, writer = host
    with engine.begin() as holder, engine.connect() as waiter:
        writer.on(holder).annotate(run, {"held": 1})
        waiter.execute(text(f"set local {setting} = 20"))
        with pytest.raises(errors.Retryable):
            writer.on(waiter).annotate(run, {"waits": 1})
    assert record.keys(run) == ["held"]


def test_runs_work_behind_a_pooler_in_transaction_mode(write_url: str, record: Any) -> None:
    """A hosted run needs no session state and no prepared statement, so each transaction may use another connection."""
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


def test_prepared_statements_survive_a_migration(write_url: str, record: Any, run: str) -> None:
    """A statement that was prepared before a migration still works after it."""
    with psycopg.connect(write_url, autocommit=True, prepare_threshold=0) as connection:
        call = 'select * from postil.annotate(\'default\', %s, \'[{"key": "a", "value": 1}]\')'
        for _ in range(3):
            connection.execute(call, [run], prepare=True)
        migrate(write_url)
        connection.execute(call, [run], prepare=True)
    assert record.keys(run) == ["a"] * 4


def test_a_write_waits_for_an_uncommitted_write_to_its_run(
    host: tuple[Engine, Postil], postil: Postil, record: Any, run: str
) -> None:
    """A write waits for an uncommitted write to the same run, and comes after it."""
    engine, writer = host
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
def test_a_write_during_a_cancellation_waits_and_is_refused(
    host: tuple[Engine, Postil],
    postil: Postil,
    record: Any,
    run: str,
    write: Callable[..., object],
    refusal: type[Exception],
) -> None:
    """A write that starts during a cancellation waits for its commit, is refused and leaves nothing."""
    engine, writer = host
    postil.start_stage(run, "s")
    postil.ask(run, "?", interaction_id="i", kind="question")
    raised: list[BaseException] = []
    with engine.begin() as connection:
        writer.on(connection).cancel_run(run)
        other = threading.Thread(target=lambda: raised.extend(run_together(lambda: write(postil, run))))
        other.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like %s"
        while record.one(waiting, "%postil.%") == 0:
            pass  # the test's own timeout is the deadline
    other.join()
    assert [type(error) for error in raised] == [refusal]
    assert record.types(run)[-1] == "run:cancelled"
    assert record.keys(run) == []


def test_an_exhausted_pool_is_unavailable(write_url: str, run: str) -> None:
    """A write that gets no connection from the pool in time raises `Unavailable`."""
    engine = create_engine(sqlalchemy_url(write_url), pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(errors.Unavailable, match="free"):
        Postil(engine).annotate(run, {"a": 1})
    engine.dispose()


def test_an_unreachable_server_is_unavailable() -> None:
    """A write to an unreachable server raises `Unavailable`, whose text does not contain the password."""
    postil = Postil("postgresql://postil:secret@127.0.0.1:1/postil")
    with pytest.raises(errors.Unavailable) as caught:
        postil.annotate("run", {"a": 1})
    assert "secret" not in str(caught.value)


def test_a_database_without_the_schema_needs_a_migration(empty_database_url: str) -> None:
    """A write to a database without the schema raises `SchemaOutdated`, which names the command to run."""
    postil = Postil(empty_database_url)
    with pytest.raises(errors.SchemaOutdated, match="postil migrate"):
        postil.annotate("run", {"a": 1})
    postil.close()


def test_a_cut_connection_is_unavailable_once(write_url: str, record: Any, run: str) -> None:
    """A write on a cut connection raises `Unavailable`, and the next write gets a new connection."""
    postil = Postil(f"{write_url}?application_name=cut")
    postil.annotate(run, {"a": 1})
    record.sql("select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'cut'")
    with pytest.raises(errors.Unavailable):
        postil.annotate(run, {"b": 1})
    postil.annotate(run, {"c": 1})
    assert record.keys(run) == ["a", "c"]
    postil.close()
