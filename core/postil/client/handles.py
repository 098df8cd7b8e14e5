"""The clients: `Postil`, `AsyncPostil`, and the writers that they return for one transaction."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar, overload
from uuid import uuid4

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

from postil.client.call_methods import CallMethods
from postil.client.run_methods import RunMethods
from postil.client.stage_methods import StageMethods
from postil.commands import CreateRun
from postil.errors import ConfigurationError
from postil.hosting.runs import AsyncHostedRun, HostedRun
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context, Trigger
from postil.postgres.execute import AsyncTransaction, Transaction, execute, execute_async
from postil.postgres.failures import translated
from postil.postgres.requests import statement
from postil.postgres.url import sqlalchemy_url
from postil.requests import AsyncSender, Request, Sender

T = TypeVar("T")
Hosted = TypeVar("Hosted")


class TransactionWriter(RunMethods, StageMethods, CallMethods, Sender):
    """Writes in the caller's transaction. Postil never commits it; a rollback discards every write."""

    def __init__(self, tenant: str, transaction: Transaction) -> None:
        self.tenant = tenant
        self._transaction = transaction

    def send(self, request: Request[T]) -> T:
        """Send a command or query in the caller's transaction, and return its result.

        `request` is a command of `postil.commands`, or a query.

        Raises the errors that the request names, `InvalidInput` for a malformed field, `ConfigurationError`
        for any other object, and `Retryable`, `Unavailable` or `SchemaOutdated`; the caller must then roll the transaction back.
        """
        return execute(self._transaction, statement(self.tenant, request))


class AsyncTransactionWriter(RunMethods, StageMethods, CallMethods, AsyncSender):
    """Writes in the caller's transaction, as `TransactionWriter` does, on an async connection or session."""

    def __init__(self, tenant: str, transaction: AsyncTransaction) -> None:
        self.tenant = tenant
        self._transaction = transaction

    async def send(self, request: Request[T]) -> T:
        """Send a command or query in the caller's transaction, as `TransactionWriter.send` does.

        Raises the errors of `TransactionWriter.send`.
        """
        return await execute_async(self._transaction, statement(self.tenant, request))


class _Client(Generic[Hosted]):
    """What both clients share. `Hosted` is the type of their hosted runs."""

    tenant: str

    @overload
    def on(self, transaction: Transaction) -> TransactionWriter: ...
    @overload
    def on(self, transaction: AsyncTransaction) -> AsyncTransactionWriter: ...
    def on(self, transaction: Transaction | AsyncTransaction) -> TransactionWriter | AsyncTransactionWriter:
        """Return a writer for the caller's transaction. It never commits.

        `transaction` is a SQLAlchemy connection or session, sync or async.

        Raises `ConfigurationError` for anything else.
        """
        if isinstance(transaction, (AsyncConnection, AsyncSession, async_scoped_session)):
            return AsyncTransactionWriter(self.tenant, transaction)
        if isinstance(transaction, (Connection, Session, scoped_session)):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
            return TransactionWriter(self.tenant, transaction)
        raise ConfigurationError(
            f"A {type(transaction).__name__} is not a transaction that Postil can write in.",
            advice="Give a SQLAlchemy Connection or Session, or one of their async forms.",
        )

    def run(
        self,
        name: str,
        *annotations: AnnotationLike,
        run_id: str | None = None,
        trigger: Trigger | None = None,
        input: Json = None,  # noqa: A002 (the field's own name)
        actor: Actor | None = None,
        parent_id: str | None = None,
        metadata: Json = None,
        context: Context | None = None,
    ) -> Hosted:
        """Host a run: a ``with`` block (``async with`` in `AsyncPostil`) that records the run.

        The run is created on entry and completed on exit. An exception fails the run and propagates;
        KeyboardInterrupt and asyncio.CancelledError cancel it. Each write is a separate transaction.

        `run_id` defaults to a new UUID. `actor` is the default actor of the run's annotations and stages.
        `context` applies to every write of the run.
        `postil.commands.CreateRun` describes every argument.
        """
        return self._host(
            CreateRun(
                str(uuid4()) if run_id is None else run_id,
                annotations,
                name=name,
                trigger=trigger,
                input=input,
                actor=actor,
                parent_id=parent_id,
                metadata=metadata,
                context=context,
            )
        )

    @abstractmethod
    def _host(self, command: CreateRun) -> Hosted: ...


class Postil(_Client[HostedRun], RunMethods, StageMethods, CallMethods, Sender):
    """The client for threads.

    `on` returns a writer for the caller's transaction. The write methods of `Postil` itself each use
    a short, separate transaction, for callers that have none. `run` hosts a whole run.

    `engine` is a SQLAlchemy engine, or a URL as psql takes it. `tenant` defaults to ``default``.
    Raises `ConfigurationError` for any other engine, and for a malformed URL.
    """

    def __init__(self, engine: Engine | URL | str, *, tenant: str = "default") -> None:
        self.tenant = tenant
        if isinstance(engine, AsyncEngine):
            raise ConfigurationError("Postil was given an AsyncEngine.", advice="Use AsyncPostil for one.")
        self._engine = engine if isinstance(engine, Engine) else create_engine(_url(engine))

    def send(self, request: Request[T]) -> T:
        """Send a command or query in a separate transaction, and return its result.

        `request` is a command of `postil.commands`, or a query.

        Raises the errors that the request names, `InvalidInput` for a malformed field, `ConfigurationError`
        for any other object, and `Retryable`, `Unavailable` or `SchemaOutdated`; nothing is stored then.
        After `Unavailable` during the commit the result is unknown: send the request again, with the same ids
        and idempotency keys.
        """
        ready = statement(self.tenant, request)
        try:
            with self._engine.begin() as connection:
                return execute(connection, ready)
        except SQLAlchemyError as error:  # connecting and committing can fail too
            raise translated(error) from error

    def _host(self, command: CreateRun) -> HostedRun:
        return HostedRun(self, self.tenant, command)

    def close(self) -> None:
        """Close the engine's pooled connections."""
        self._engine.dispose()


class AsyncPostil(_Client[AsyncHostedRun], RunMethods, StageMethods, CallMethods, AsyncSender):
    """The client for asyncio: as `Postil`, but each write method is awaited.

    `engine` is a SQLAlchemy AsyncEngine, or a URL as psql takes it. `tenant` defaults to ``default``.
    Raises `ConfigurationError` for any other engine, and for a malformed URL.
    """

    def __init__(self, engine: AsyncEngine | URL | str, *, tenant: str = "default") -> None:
        self.tenant = tenant
        if isinstance(engine, Engine):
            raise ConfigurationError("AsyncPostil was given a sync Engine.", advice="Use Postil for one.")
        self._engine = engine if isinstance(engine, AsyncEngine) else create_async_engine(_url(engine))

    async def send(self, request: Request[T]) -> T:
        """Send a command or query in a separate transaction, as `Postil.send` does.

        Raises the errors of `Postil.send`.
        """
        ready = statement(self.tenant, request)
        try:
            async with self._engine.begin() as connection:
                return await execute_async(connection, ready)
        except SQLAlchemyError as error:  # connecting and committing can fail too
            raise translated(error) from error

    def _host(self, command: CreateRun) -> AsyncHostedRun:
        return AsyncHostedRun(self, self.tenant, command)

    async def close(self) -> None:
        """Close the engine's pooled connections."""
        await self._engine.dispose()


def _url(engine: Any) -> URL:
    if isinstance(engine, URL):
        return engine
    if isinstance(engine, str):
        return sqlalchemy_url(engine)
    raise ConfigurationError(
        f"A {type(engine).__name__} is not an engine.",
        advice="Give a SQLAlchemy engine or a postgresql:// URL.",
    )
