"""What a host system holds: `Postil` and `AsyncPostil`, and the handles they give for one transaction."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar, overload

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session

from postil.client.methods import Async, Sync
from postil.errors import ConfigurationError
from postil.hosting.runs import AsyncHostedRun, HostedRun
from postil.hosting.steps import NewRun
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.triggers import Trigger
from postil.postgres import writes as journal
from postil.postgres.execute import AsyncTransaction, Transaction, execute, execute_async
from postil.postgres.failures import translated
from postil.postgres.url import sqlalchemy_url
from postil.postgres.writes import Call

T = TypeVar("T")


class _Writes:
    """Every write, run at once."""

    annotate = Sync(journal.annotate)
    annotate_many = Sync(journal.annotate_many)
    create_run = Sync(journal.create_run)
    start_run = Sync(journal.start_run)
    finish_run = Sync(journal.finish_run)
    cancel_run = Sync(journal.cancel_run)
    start_stage = Sync(journal.start_stage)
    complete_stage = Sync(journal.complete_stage)
    fail_stage = Sync(journal.fail_stage)
    suspend_stage = Sync(journal.suspend_stage)
    resume_stage = Sync(journal.resume_stage)
    start_tool_call = Sync(journal.start_tool_call)
    finish_tool_call = Sync(journal.finish_tool_call)
    record_tool_call = Sync(journal.record_tool_call)
    ask = Sync(journal.ask)
    resolve_interaction = Sync(journal.resolve_interaction)
    cancel_interaction = Sync(journal.cancel_interaction)
    record_runs = Sync(journal.record_runs)


class _AsyncWrites:
    """Every write, run when awaited."""

    annotate = Async(journal.annotate)
    annotate_many = Async(journal.annotate_many)
    create_run = Async(journal.create_run)
    start_run = Async(journal.start_run)
    finish_run = Async(journal.finish_run)
    cancel_run = Async(journal.cancel_run)
    start_stage = Async(journal.start_stage)
    complete_stage = Async(journal.complete_stage)
    fail_stage = Async(journal.fail_stage)
    suspend_stage = Async(journal.suspend_stage)
    resume_stage = Async(journal.resume_stage)
    start_tool_call = Async(journal.start_tool_call)
    finish_tool_call = Async(journal.finish_tool_call)
    record_tool_call = Async(journal.record_tool_call)
    ask = Async(journal.ask)
    resolve_interaction = Async(journal.resolve_interaction)
    cancel_interaction = Async(journal.cancel_interaction)
    record_runs = Async(journal.record_runs)


class TransactionWriter(_Writes):
    """The writes inside one transaction of the caller's: nothing of ours commits, a rollback takes all of it away."""

    def __init__(self, tenant: str, on: Transaction) -> None:
        self.tenant = tenant
        self._on = on

    def perform(self, call: Call[T]) -> T:
        """Run one call of the journal in the caller's transaction."""
        return execute(self._on, call)


class AsyncTransactionWriter(_AsyncWrites):
    """As `TransactionWriter`, on an async connection or session."""

    def __init__(self, tenant: str, on: AsyncTransaction) -> None:
        self.tenant = tenant
        self._on = on

    async def perform(self, call: Call[T]) -> T:
        """Run one call of the journal in the caller's transaction."""
        return await execute_async(self._on, call)


class _Handle:
    tenant: str

    @overload
    def on(self, transaction: Transaction) -> TransactionWriter: ...
    @overload
    def on(self, transaction: AsyncTransaction) -> AsyncTransactionWriter: ...
    def on(self, transaction: Transaction | AsyncTransaction) -> TransactionWriter | AsyncTransactionWriter:
        """Write inside the caller's own transaction: a SQLAlchemy connection or session, sync or async.

        Raises `ConfigurationError` for anything else.
        """
        if isinstance(transaction, (AsyncConnection, AsyncSession, async_scoped_session)):
            return AsyncTransactionWriter(self.tenant, transaction)
        if isinstance(transaction, (Connection, Session, scoped_session)):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
            return TransactionWriter(self.tenant, transaction)
        raise ConfigurationError(
            f"A {type(transaction).__name__} is no transaction to write in.",
            advice="Give a SQLAlchemy Connection or Session, or one of their async forms.",
        )


class Postil(_Handle, _Writes):
    """The record, seen from a host system.

    `on(transaction)` writes inside the caller's transaction. The same methods here use a short transaction of their own,
    for who has none; and `run(…)` hosts a whole run.

    Takes a SQLAlchemy engine, or a URL as psql takes it. Raises `ConfigurationError` for anything else.
    """

    def __init__(self, engine: Engine | URL | str, *, tenant: str = "default") -> None:
        self.tenant = tenant
        if isinstance(engine, AsyncEngine):
            raise ConfigurationError("Postil was given an AsyncEngine.", advice="Use AsyncPostil for one.")
        self._engine = engine if isinstance(engine, Engine) else create_engine(_url(engine))

    def perform(self, call: Call[T]) -> T:
        """Run one call of the journal in a transaction of its own."""
        try:
            with self._engine.begin() as connection:
                return execute(connection, call)
        except SQLAlchemyError as error:  # connecting and committing can fail too
            raise translated(error) from error

    def run(
        self,
        name: str,
        *said: AnnotationLike,
        run_id: str | None = None,
        trigger: Trigger | None = None,
        input: Json = None,  # noqa: A002 (the field's own name)
        actor: Actor | None = None,
        parent_id: str | None = None,
        metadata: Json = None,
    ) -> AbstractContextManager[HostedRun]:
        """Host a run: created on entry, completed on exit, failed by an exception, which goes on its way.

        `run_id` defaults to a new UUID.
        """
        return HostedRun(
            self.tenant, self.perform, NewRun(name, said, run_id, trigger, input, actor, parent_id, metadata)
        )

    def close(self) -> None:
        """Close the engine's pooled connections."""
        self._engine.dispose()


class AsyncPostil(_Handle, _AsyncWrites):
    """As `Postil`, for asyncio: takes an AsyncEngine or a URL; each method is awaited."""

    def __init__(self, engine: AsyncEngine | URL | str, *, tenant: str = "default") -> None:
        self.tenant = tenant
        if isinstance(engine, Engine):
            raise ConfigurationError("AsyncPostil was given a sync Engine.", advice="Use Postil for one.")
        self._engine = engine if isinstance(engine, AsyncEngine) else create_async_engine(_url(engine))

    async def perform(self, call: Call[T]) -> T:
        """Run one call of the journal in a transaction of its own."""
        try:
            async with self._engine.begin() as connection:
                return await execute_async(connection, call)
        except SQLAlchemyError as error:  # connecting and committing can fail too
            raise translated(error) from error

    def run(
        self,
        name: str,
        *said: AnnotationLike,
        run_id: str | None = None,
        trigger: Trigger | None = None,
        input: Json = None,  # noqa: A002 (the field's own name)
        actor: Actor | None = None,
        parent_id: str | None = None,
        metadata: Json = None,
    ) -> AbstractAsyncContextManager[AsyncHostedRun]:
        """Host a run, as `Postil.run` does, with ``async with``."""
        return AsyncHostedRun(
            self.tenant, self.perform, NewRun(name, said, run_id, trigger, input, actor, parent_id, metadata)
        )

    async def close(self) -> None:
        """Close the engine's pooled connections."""
        await self._engine.dispose()


def _url(engine: Any) -> URL:
    if isinstance(engine, URL):
        return engine
    if isinstance(engine, str):
        return sqlalchemy_url(engine)
    raise ConfigurationError(
        f"A {type(engine).__name__} is no engine.", advice="Give a SQLAlchemy engine or a postgresql:// URL."
    )
