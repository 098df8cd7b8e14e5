"""The API's access to Postgres: a small connection pool, a time limit, and one retry of a read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from postil.errors import Unavailable
from postil.postgres import sqlalchemy_url
from postil.postgres.execute import execute_async
from postil.postgres.failures import translated
from postil.postgres.statement import Statement

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds that one statement may take, with the wait for a connection and the second try of a read."""


class Database:
    """Runs single statements in one database. Raises the errors of `postil.errors`, such as `Unavailable`."""

    def __init__(self, url: str, application_name: str) -> None:
        # Each request runs one statement, so autocommit saves two round trips.
        # Without prepared statements, a pooler in transaction mode may stand between the API and Postgres.
        self._engine = create_async_engine(
            sqlalchemy_url(url),
            isolation_level="AUTOCOMMIT",
            pool_size=8,
            max_overflow=0,
            pool_timeout=5,
            connect_args={
                "connect_timeout": 3,
                "prepare_threshold": None,
                "application_name": application_name,
            },
        )

    async def fetch(self, read: Statement[T]) -> T:
        """Return the result of a read. If its connection is lost, the read runs once more on a new connection."""
        async with _limited():
            try:
                return await self._run(read)
            except Unavailable:
                return await self._run(read)

    async def execute(self, statement: Statement[T]) -> T:
        """Run one statement in its own transaction, once, and return its result."""
        async with _limited():
            return await self._run(statement)

    async def _run(self, statement: Statement[T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await execute_async(connection, statement)
        except DBAPIError as error:  # from connecting; execute_async translates its own
            raise translated(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


@asynccontextmanager
async def _limited() -> AsyncGenerator[None]:
    """Limit the time of the block. A statement that took too long is not sent again: the server is overloaded."""
    try:
        async with asyncio.timeout(TIMEOUT):
            yield
    except (TimeoutError, PoolTimeout) as error:
        raise Unavailable(
            f"The database did not respond within {TIMEOUT:.0f} s. Whether a write was stored is unknown.",
            advice="Look at its load with `postil doctor`. Then send the request again; a repeated answer is stored once.",
        ) from error
