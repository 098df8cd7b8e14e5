"""The API's access to Postgres: a small connection pool, a time limit, and one retry of a read."""

from __future__ import annotations

import asyncio
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
"""Seconds that one statement may take, the wait for a connection included."""


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
        try:
            return await self.execute(read)
        except Unavailable:
            return await self.execute(read)

    async def execute(self, statement: Statement[T]) -> T:
        """Run one statement in its own transaction, once, and return its result."""
        try:
            async with asyncio.timeout(TIMEOUT), self._engine.connect() as connection:
                return await execute_async(connection, statement)
        except DBAPIError as error:  # from connecting; execute_async translates its own
            raise translated(error) from error
        except (TimeoutError, PoolTimeout) as error:
            raise _timed_out() from error

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


def _timed_out() -> Unavailable:
    return Unavailable(
        f"The database did not answer within {TIMEOUT:.0f} s.",
        advice="Look at its load with `postil doctor`.",
    )
