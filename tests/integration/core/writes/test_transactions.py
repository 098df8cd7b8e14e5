"""What is written lives and dies with the caller's own transaction, whoever holds it."""

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
    """A row of somebody else's."""

    __tablename__ = "refund"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


class Oops(Exception):
    """What goes wrong in the caller's own code."""


@pytest.fixture
def engine(write_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlalchemy_url(write_url))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(delete(Refund))
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(engine.url)
    yield made
    await made.dispose()


def open_session(engine: Engine) -> Session:
    return Session(engine)


def open_scoped_session(engine: Engine) -> Any:
    return scoped_session(sessionmaker(engine))


OPENERS = [open_session, open_scoped_session]


@pytest.mark.parametrize("opener", OPENERS)
def test_a_rolled_back_session_leaves_neither_refund_nor_annotation_nor_event(
    run: str, engine: Engine, record: Any, postil: Postil, opener: Callable[[Engine], Any]
) -> None:
    before = record.traces()
    session = opener(engine)
    session.add(Refund(id=1, amount=42))
    postil.on(session).annotate(run, Decision(outcome="refund"), actor=agent("triage"))
    own = text("select key from postil.annotation where run_id = :run")
    assert session.scalars(own, {"run": run}).all() == ["decision.outcome"]
    session.rollback()
    session.close()
    assert before == record.traces()
    assert record.one("select count(*) from refund") == 0


@pytest.mark.parametrize("opener", OPENERS)
def test_a_committed_session_leaves_all_three_together(
    run: str, engine: Engine, record: Any, postil: Postil, opener: Callable[[Engine], Any]
) -> None:
    session = opener(engine)
    session.add(Refund(id=1, amount=42))
    postil.on(session).annotate(run, Decision(outcome="refund"), actor=agent("triage"))
    assert record.keys(run) == [], "nothing of ours commits"
    session.commit()
    session.close()
    assert record.one("select count(*) from refund") == 1
    assert record.types(run) == ["run:created", "annotation:created"]


def test_an_exception_in_the_callers_block_takes_the_notes_with_it(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    before = record.traces()

    def refund() -> None:
        with Session(engine) as session, session.begin():
            session.add(Refund(id=1, amount=42))
            postil.on(session).annotate(run, {"a": 1})
            raise Oops

    with pytest.raises(Oops):
        refund()
    assert before == record.traces()


def test_a_plain_connection_is_a_transaction_too(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    connection: Connection
    with engine.connect() as connection:
        postil.on(connection).annotate(run, {"a": 1})
        connection.rollback()
        postil.on(connection).annotate(run, {"b": 1})
        connection.commit()
    assert record.keys(run) == ["b"]


def test_every_write_of_a_block_commits_together(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    other = f"{run}-other"
    with Session(engine) as session, session.begin():
        notes = postil.on(session)
        notes.create_run(other)
        notes.start_stage(other, "triage")
        notes.annotate(other, {"a": 1}, stage_id="triage")
        notes.complete_stage(other, "triage")
        notes.finish_run(other)
        assert record.sql("select id from postil.run where id = %s", other) == []
    assert (record.types(other)) == [
        "run:created",
        "stage:started",
        "annotation:created",
        "stage:completed",
        "run:completed",
    ]
    assert record.one("select count(distinct xid) from postil.event where run_id = %s", other) == 1


def test_a_savepoint_rolled_back_takes_its_notes_and_their_numbers(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    with Session(engine) as session, session.begin():
        notes = postil.on(session)
        assert [done.run_seq for done in notes.annotate(run, {"before": 1})] == [2]
        savepoint = session.begin_nested()
        assert [done.run_seq for done in notes.annotate(run, {"inside": 1})] == [3]
        savepoint.rollback()
        assert [done.run_seq for done in notes.annotate(run, {"after": 1})] == [3]
    assert record.keys(run) == ["before", "after"]


def test_after_a_refusal_inside_a_savepoint_the_transaction_goes_on(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    with Session(engine) as session, session.begin():
        with pytest.raises(errors.RunNotFound), session.begin_nested():
            postil.on(session).annotate("nobody", {"a": 1})
        postil.on(session).annotate(run, {"a": 1})
    assert record.keys(run) == ["a"]


def test_after_a_refusal_the_transaction_can_only_be_rolled_back_and_says_so(
    run: str, engine: Engine, record: Any, postil: Postil
) -> None:
    with Session(engine) as session:
        with pytest.raises(errors.RunNotFound):
            postil.on(session).annotate("nobody", {"a": 1})
        with pytest.raises(errors.WriteRefused, match="aborted"):
            postil.on(session).annotate(run, {"a": 1})
        session.rollback()
        postil.on(session).annotate(run, {"a": 1})
        session.commit()
    assert record.keys(run) == ["a"]


def test_a_session_that_failed_on_its_own_account_gives_a_typed_error(
    run: str, engine: Engine, postil: Postil
) -> None:
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
    before = record.traces()
    async with AsyncSession(async_engine) as session:
        session.add(Refund(id=1, amount=42))
        await postil.on(session).annotate(run, Decision(outcome="refund"))
        await session.rollback()
    assert before == record.traces()
    assert record.one("select count(*) from refund") == 0


async def test_a_committed_async_session_leaves_all_three_together(
    run: str, async_engine: AsyncEngine, record: Any, write_url: str
) -> None:
    postil = AsyncPostil(write_url)
    async with AsyncSession(async_engine) as session, session.begin():
        session.add(Refund(id=1, amount=42))
        await postil.on(session).annotate(run, Decision(outcome="refund"))
        assert (await session.scalars(select(Refund.amount))).all() == [42]
    assert record.one("select count(*) from refund") == 1
    assert record.keys(run) == ["decision.outcome"]
    await postil.close()


async def test_an_async_connection_is_a_transaction_too(
    run: str, async_engine: AsyncEngine, record: Any, postil: Postil
) -> None:
    connection: AsyncConnection
    async with async_engine.connect() as connection:
        await postil.on(connection).annotate(run, {"a": 1})
        await connection.rollback()
        await postil.on(connection).annotate(run, {"b": 1})
        await connection.commit()
    assert record.keys(run) == ["b"]


async def test_an_async_scoped_session_is_a_transaction_too(
    run: str, async_engine: AsyncEngine, record: Any, postil: Postil
) -> None:
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
def test_psql_decides_alike(
    run: str, engine: Engine, record: Any, write_url: str, end: str, keys: list[str], refunds: int
) -> None:
    done = subprocess.run(
        [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", write_url],
        input=PSQL_BLOCK % {"run": run, "end": end},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["t"]
    assert record.keys(run) == keys
    assert record.one("select count(*) from refund") == refunds


@pytest.mark.parametrize("other", ["a text", None, 5])
def test_something_else_is_refused_before_anything_happens(postil: Postil, other: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="transaction"):
        postil.on(other)


def test_an_engine_of_the_other_kind_is_refused(engine: Engine) -> None:
    with pytest.raises(errors.ConfigurationError, match="Postil"):
        AsyncPostil(engine)  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="not an engine"):
        Postil(5)  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="not one of PostgreSQL"):
        Postil("mysql://localhost/x")
