"""Turns the errors of psycopg and SQLAlchemy into those of `postil.errors`, so that callers handle one tree."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from postil.errors import (
    InvalidInput,
    PostilError,
    Retryable,
    SchemaOutdated,
    Unavailable,
    WriteRefused,
    from_sqlstate,
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html
# Serialisation failure, deadlock, lock timeout, statement timeout: none of the transaction was stored.
_RETRYABLE = {"40001", "40P01", "55P03", "57014"}
_NO_SCHEMA = {"3F000", "42883", "42P01"}
# The server cannot read a parameter, so that no function of Postil sees it.
_MALFORMED = ("22", "54")
# Connection lost, server shutting down, out of resources, and login refused.
_UNAVAILABLE = ("08", "57P", "53", "28P01", "28000", "3D000")
_NO_RIGHTS = "42501"


def translated(error: SQLAlchemyError) -> PostilError:
    """Return the error of `postil.errors` for an error of the driver or of SQLAlchemy."""
    if isinstance(error, PoolExhausted):
        return Unavailable(
            f"No connection became free: {error}", advice="Give the engine a larger pool, or try again."
        )
    if not isinstance(error, DBAPIError):
        return WriteRefused(f"The session or connection cannot be used: {error}")
    cause = error.orig
    # psycopg calls it sqlstate, psycopg2 pgcode.
    sqlstate: str = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
    diagnostic = getattr(cause, "diag", None)
    message: str = getattr(diagnostic, "message_primary", None) or _first_line(cause) or type(cause).__name__
    if sqlstate.startswith("PS"):
        return from_sqlstate(
            sqlstate,
            message,
            detail=getattr(diagnostic, "message_detail", None),
            hint=getattr(diagnostic, "message_hint", None),
        )
    if sqlstate in _RETRYABLE:
        return Retryable(
            f"The transaction conflicted with another, or took too long: {message}.",
            advice="Run the whole transaction again.",
        )
    if sqlstate in _NO_SCHEMA:
        return SchemaOutdated(
            f"The database lacks part of schema postil: {message}.", advice="Run `postil migrate`."
        )
    if sqlstate.startswith(_UNAVAILABLE) or (
        not sqlstate and isinstance(error, (OperationalError, InterfaceError))
    ):
        return Unavailable(
            f"The database cannot be used now: {message}",
            advice="Check that it runs and that the URL is right (`postil doctor`), then try again.",
        )
    if not sqlstate or sqlstate.startswith(_MALFORMED):
        return InvalidInput(f"The database cannot read a parameter: {message}.")
    if sqlstate == _NO_RIGHTS:
        return WriteRefused(
            f"The role may not do this: {message}.",
            advice="Grant it the rights on the database and on schema postil, or use the role that owns them.",
        )
    return WriteRefused(f"The database refused the statement ({sqlstate}): {message}.")


def _first_line(cause: object) -> str:
    """Return what happened. The further lines of libpq contain questions, or repeat the statement."""
    return str(cause).strip().partition("\n")[0]
