"""Turns the errors of psycopg and SQLAlchemy into those of `postil.errors`, so that callers handle one tree."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from postil.errors import PostilError, Unavailable, WriteRefused
from postil.postgres.sqlstates import first_line, typed_error


def translated(error: SQLAlchemyError) -> PostilError:
    """Return the error of `postil.errors` for an error of the driver or of SQLAlchemy."""
    if isinstance(error, PoolExhausted):
        return Unavailable(
            f"No connection became free: {error}", advice="Give the engine a larger pool, or try again."
        )
    if not isinstance(error, DBAPIError):
        return WriteRefused(f"The session or connection cannot be used: {error}")
    cause = error.orig
    diagnostic = getattr(cause, "diag", None)
    return typed_error(
        # psycopg calls it sqlstate, psycopg2 pgcode.
        getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None),
        getattr(diagnostic, "message_primary", None) or first_line(cause),
        concerns_connection=isinstance(error, (OperationalError, InterfaceError)),
        detail=getattr(diagnostic, "message_detail", None),
        hint=getattr(diagnostic, "message_hint", None),
    )
