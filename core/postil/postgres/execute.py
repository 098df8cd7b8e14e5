"""Executes statements in the caller's transaction, for sync and async connections and sessions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from postil.postgres.failures import translated
from postil.postgres.statement import Rows, Statement

T = TypeVar("T")

Transaction: TypeAlias = Connection | Session | scoped_session[Session]
AsyncTransaction: TypeAlias = AsyncConnection | AsyncSession | async_scoped_session[Any]


def execute(transaction: Transaction, statement: Statement[T]) -> T:
    """Execute `statement` in the caller's transaction. Nothing is committed, and a session is not flushed.

    Raises the typed errors of `postil.errors`. The transaction must then be rolled back, as after any failed statement.
    """
    try:
        rows = transaction.execute(_clause(statement.sql), dict(statement.parameters)).mappings().all()
    except SQLAlchemyError as error:
        raise translated(error) from error
    return statement.read(cast("Rows", rows))


async def execute_async(transaction: AsyncTransaction, statement: Statement[T]) -> T:
    """Execute `statement` as `execute` does, on an async connection or session."""
    try:
        result = await transaction.execute(_clause(statement.sql), dict(statement.parameters))
        rows = result.mappings().all()
    except SQLAlchemyError as error:
        raise translated(error) from error
    return statement.read(cast("Rows", rows))


@lru_cache(maxsize=512)
def _clause(sql: str) -> TextClause:
    """Parse the named parameters of a text once, not again for each execution."""
    return text(sql)
