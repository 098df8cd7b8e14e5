"""The dashboard's connection to Postgres: a small pool, bounded waits, one retry after a lost connection."""

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

PATIENCE = 10.0
"""Seconds a question may take before the database counts as away."""


class Database:
    """Asks questions of one database; raises the typed errors of `postil.errors`, `Unavailable` above all."""

    def __init__(self, url: str) -> None:
        # Every question is one statement, so autocommit saves two round trips;
        # no prepared statements, so that a pooler in transaction mode may stand in between.
        self._engine = create_async_engine(
            sqlalchemy_url(url),
            isolation_level="AUTOCOMMIT",
            pool_size=8,
            max_overflow=0,
            pool_timeout=5,
            connect_args={
                "connect_timeout": 3,
                "prepare_threshold": None,
                "application_name": "postil-dashboard",
            },
        )

    async def ask(self, read: Statement[T]) -> T:
        """Answer `read`; a connection that died while idle is replaced without anybody noticing."""
        try:
            return await self._once(read)
        except Unavailable:
            return await self._once(read)

    async def perform(self, write: Statement[T]) -> T:
        """Run one write in a transaction of its own, and never twice."""
        try:
            async with asyncio.timeout(PATIENCE), self._engine.connect() as connection:
                return await execute_async(connection, write)
        except DBAPIError as error:  # from connecting
            raise translated(error) from error
        except (TimeoutError, PoolTimeout) as error:
            raise _away() from error

    async def close(self) -> None:
        """Give the connections back."""
        await self._engine.dispose()

    async def _once(self, read: Statement[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE), self._engine.connect() as connection:
                return await execute_async(connection, read)
        except DBAPIError as error:  # from connecting; execute_async translates its own
            raise translated(error) from error
        except (TimeoutError, PoolTimeout) as error:
            raise _away() from error


def _away() -> Unavailable:
    return Unavailable(
        f"The database did not answer within {PATIENCE:.0f} s.",
        advice="Look at its load with `postil doctor`.",
    )
