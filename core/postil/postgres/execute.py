"""Runs the journal's calls on whatever the caller has: the only code that hands our SQL to SQLAlchemy."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from postil.postgres.failures import translated
from postil.postgres.writes import Call

T = TypeVar("T")

Transaction: TypeAlias = Connection | Session | scoped_session[Session]
AsyncTransaction: TypeAlias = AsyncConnection | AsyncSession | async_scoped_session[Any]


def execute(on: Transaction, call: Call[T]) -> T:
    """Run `call` in the caller's own transaction; nothing is committed here, and no session is flushed.

    Raises the typed error of `postil.errors`; the transaction must then be rolled back, as after any failed statement.
    """
    try:
        rows = on.execute(text(call.sql), dict(call.parameters)).all()
    except SQLAlchemyError as error:
        raise translated(error) from error
    return call.read(rows)


async def execute_async(on: AsyncTransaction, call: Call[T]) -> T:
    """Run `call` in the caller's own transaction, on an async connection or session."""
    try:
        rows = (await on.execute(text(call.sql), dict(call.parameters))).all()
    except SQLAlchemyError as error:
        raise translated(error) from error
    return call.read(rows)
