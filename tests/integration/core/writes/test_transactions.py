"""Writes commit or roll back with the caller's own transaction, in every form that SQLAlchemy has."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, delete, select, text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from postil import AsyncPostil, Decision, Postil, agent, errors
from postil.postgres import sqlalchemy_url
from postil_stack.servers.postgres import program


class Base(DeclarativeBase):
    """The host system's own models."""


class Refund(Base):
    """A row of the host system."""

    __tablename__ = "refund"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


class HostError(Exception):
    """An error of the host system's own code."""


@pytest.fixture
def engine(write_url: str) -> Iterator[Engine]:
    """The host system's engine, and its empty table `refund`."""
    engine = create_engine(sqlalchemy_url(write_url))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(delete(Refund))
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    """The host system's async engine on the same database."""
    async_engine = create_async_engine(engine.url)
    yield async_engine
    await async_engine.dispose()


def open_session(engine: Engine) -> Session:
    return Session(engine)


def open_scoped_session(engine: Engine) -> Any:
    return scoped_session(sessionmaker(engine))


OPENERS = [open_session, open_scoped_session]


@pytest.mark.parametrize("opener", OPENERS)
def test_a_rolled_back_session_leaves_nothing(
    run: str, engine: Engine, record: Any, postil: Postil, opener: Callable[[Engine], Any]
) -> None:
    """A session sees its own annotation; its rollback discards the host's row, the annotation and the event."""
    before = record.traces()
    session = opener(engine)
    session.add(Refund(id=1, amount=42))
    postil.on(session).annotate(run, Decision(outcome="refund"), actor=agent("triage"))
    keys = text("select key from postil.annotation where run_id = :run")
    assert session.scalars(keys, {"run": run}).all() == ["decision.outcome"]
    session.rollback()
    session.close()
    assert record.traces() == before
    assert record.one("select count(*) from refund") == 0


@pytest.mark.parametrize("opener", OPENERS)
def test_a_committed_session_leaves_row_and_event_together(
    run: str, engine: Engine, record: Any, postil: Postil, opener: Callable[[Engine], Any]
) -> None:
    """A write in a session is invisible until the session commits, then row, annotation and event exist."""
    session = opener(engine)
    session.add(Refund(id=1, amount=42))
    postil.on(session).annotate(run, Decision(outcome="refund"), actor=agent("triage"))
    assert record.keys(run) == [], "the write itself does not commit"
    session.commit()
    session.close()
    assert record.one("select count(*) from refund") == 1
    assert record.types(run) == ["run:created", "annotation:created"]


def test_an_exception_in_the_callers_block_leaves_nothing(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """An exception in the caller's transaction block discards the annotation too."""
    before = record.traces()

    def refund() -> None:
        with Session(engine) as session, session.begin():
            session.add(Refund(id=1, amount=42))
            postil.on(session).annotate(run, {"a": 1})
            raise HostError

    with pytest.raises(HostError):
        refund()
    assert record.traces() == before


def test_writes_follow_the_transaction_of_a_connection(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """Writes through an SQLAlchemy connection are kept or discarded with its transaction."""
    connection: Connection
    with engine.connect() as connection:
        postil.on(connection).annotate(run, {"a": 1})
        connection.rollback()
        postil.on(connection).annotate(run, {"b": 1})
        connection.commit()
    assert record.keys(run) == ["b"]


def test_all_writes_of_a_session_share_its_transaction(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """All verbs called in one session write in one database transaction, and are invisible before its commit."""
    other = f"{run}-other"
    with Session(engine) as session, session.begin():
        writer = postil.on(session)
        writer.create_run(other)
        writer.start_stage(other, "triage")
        writer.annotate(other, {"a": 1}, stage_id="triage")
        writer.complete_stage(other, "triage")
        writer.finish_run(other)
        assert record.sql("select id from postil.run where id = %s", other) == []
    assert record.types(other) == [
        "run:created",
        "stage:started",
        "annotation:created",
        "stage:completed",
        "run:completed",
    ]
    assert record.one("select count(distinct xid) from postil.event where run_id = %s", other) == 1


def test_a_rolled_back_savepoint_gives_back_its_run_seqs(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """The rollback of a savepoint discards its annotations, and the next write uses their run_seq."""
    with Session(engine) as session, session.begin():
        writer = postil.on(session)
        assert [receipt.run_seq for receipt in writer.annotate(run, {"before": 1})] == [2]
        savepoint = session.begin_nested()
        assert [receipt.run_seq for receipt in writer.annotate(run, {"inside": 1})] == [3]
        savepoint.rollback()
        assert [receipt.run_seq for receipt in writer.annotate(run, {"after": 1})] == [3]
    assert record.keys(run) == ["before", "after"]


def test_a_refusal_in_a_savepoint_keeps_the_transaction(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """After a refusal inside a savepoint the transaction continues."""
    with Session(engine) as session, session.begin():
        with pytest.raises(errors.RunNotFound), session.begin_nested():
            postil.on(session).annotate("unknown", {"a": 1})
        postil.on(session).annotate(run, {"a": 1})
    assert record.keys(run) == ["a"]


def test_a_transaction_must_roll_back_after_a_refusal(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    """After a refusal every write raises `WriteRefused` until the caller has rolled back."""
    with Session(engine) as session:
        with pytest.raises(errors.RunNotFound):
            postil.on(session).annotate("unknown", {"a": 1})
        with pytest.raises(errors.WriteRefused, match="aborted"):
            postil.on(session).annotate(run, {"a": 1})
        session.rollback()
        postil.on(session).annotate(run, {"a": 1})
        session.commit()
    assert record.keys(run) == ["a"]


def test_a_write_in_a_failed_session_raises_a_typed_error(run: str, engine: Engine, postil: Postil) -> None:
    """A write in a session that the caller's own error has failed raises `WriteRefused`, which asks for a rollback."""
    with Session(engine) as session:
        session.add(Refund(id=1, amount=1))
        session.flush()
        session.add(Refund(id=1, amount=2))
        with pytest.raises(Exception, match="duplicate key"):
            session.flush()
        with pytest.raises(errors.WriteRefused, match="rolled back"):
            postil.on(session).annotate(run, {"a": 1})


async def test_a_rolled_back_async_session_leaves_nothing(
    run: str, async_engine: AsyncEngine, record: Any, postil: Postil
) -> None:
    """The rollback of an async session discards the host's row, the annotation and the event."""
    before = record.traces()
    async with AsyncSession(async_engine) as session:
        session.add(Refund(id=1, amount=42))
        await postil.on(session).annotate(run, Decision(outcome="refund"))
        await session.rollback()
    assert record.traces() == before
    assert record.one("select count(*) from refund") == 0


async def test_a_committed_async_session_leaves_row_and_event(
    run: str, async_engine: AsyncEngine, record: Any, write_url: str
) -> None:
    """The commit of an async session stores the host's row and the annotation together."""
    postil = AsyncPostil(write_url)
    async with AsyncSession(async_engine) as session, session.begin():
        session.add(Refund(id=1, amount=42))
        await postil.on(session).annotate(run, Decision(outcome="refund"))
        assert (await session.scalars(select(Refund.amount))).all() == [42]
    assert record.one("select count(*) from refund") == 1
    assert record.keys(run) == ["decision.outcome"]
    await postil.close()


async def test_writes_follow_the_transaction_of_an_async_connection(
    run: str, async_engine: AsyncEngine, record: Any, postil: Postil
) -> None:
    """Writes through an async connection are kept or discarded with its transaction."""
    connection: AsyncConnection
    async with async_engine.connect() as connection:
        await postil.on(connection).annotate(run, {"a": 1})
        await connection.rollback()
        await postil.on(connection).annotate(run, {"b": 1})
        await connection.commit()
    assert record.keys(run) == ["b"]


async def test_writes_follow_an_async_scoped_session(
    run: str, async_engine: AsyncEngine, record: Any, postil: Postil
) -> None:
    """Writes through an async scoped session are kept or discarded with its transaction."""
    session = async_scoped_session(async_sessionmaker(async_engine), scopefunc=lambda: "here")
    await postil.on(session).annotate(run, {"a": 1})
    await session.rollback()
    await postil.on(session).annotate(run, {"b": 1})
    await session.commit()
    await session.remove()
    assert record.keys(run) == ["b"]


PSQL_BLOCK = """
begin;
insert into refund values (1, 42);
select created from postil.annotate('default', '%(run)s', '[{"key": "decision.outcome", "value": "refund"}]',
                                    actor => '{"kind": "agent", "id": "triage"}');
%(end)s;
"""


@pytest.mark.parametrize(
    ("end", "keys", "refunds"), [("rollback", [], 0), ("commit", ["decision.outcome"], 1)]
)
def test_psql_commits_or_discards_row_and_event_together(
    run: str, engine: Engine, record: Any, write_url: str, end: str, keys: list[str], refunds: int
) -> None:
    """A psql session's commit or rollback decides about the row and the annotation together."""
    psql = subprocess.run(
        [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", write_url],
        input=PSQL_BLOCK % {"run": run, "end": end},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert psql.stdout.split() == ["t"]
    assert record.keys(run) == keys
    assert record.one("select count(*) from refund") == refunds


@pytest.mark.parametrize("other", ["a text", None, 5])
def test_on_refuses_what_is_not_a_transaction(postil: Postil, other: Any) -> None:
    """`on` refuses any value that is not a session or connection."""
    with pytest.raises(errors.ConfigurationError, match="transaction"):
        postil.on(other)


def test_a_writer_refuses_an_engine_of_the_wrong_kind(engine: Engine) -> None:
    """A writer refuses a sync engine for async, a value that is not an engine, and another database's URL."""
    with pytest.raises(errors.ConfigurationError, match="Postil"):
        AsyncPostil(engine)
    with pytest.raises(errors.ConfigurationError, match="not an engine"):
        Postil(5)
    with pytest.raises(errors.ConfigurationError, match="not one of PostgreSQL"):
        Postil("mysql://localhost/x")
