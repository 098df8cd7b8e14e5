"""Turns what the driver raises into Postil's own errors; nothing of psycopg or SQLAlchemy leaks to a caller."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

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
_RETRYABLE = {"40001", "40P01"}
_NO_SCHEMA = {"3F000", "42883", "42P01"}
# Malformed text that no server-side function ever sees, because the parameter itself cannot be read.
_MALFORMED = {"22P02", "22P05", "22021", "22003", "22007", "22008", "54001"}


def translated(error: DBAPIError) -> PostilError:
    """The typed error for a driver's error."""
    cause = error.orig
    sqlstate: str = getattr(cause, "sqlstate", None) or ""
    diagnostic = getattr(cause, "diag", None)
    message: str = getattr(diagnostic, "message_primary", None) or str(cause).strip() or type(cause).__name__
    if sqlstate.startswith("PS"):
        return from_sqlstate(
            sqlstate,
            message,
            detail=getattr(diagnostic, "message_detail", None),
            hint=getattr(diagnostic, "message_hint", None),
        )
    if sqlstate in _RETRYABLE:
        return Retryable(
            f"The transaction lost a race: {message}.", advice="Run the whole transaction again."
        )
    if sqlstate in _NO_SCHEMA:
        return SchemaOutdated(
            f"The database lacks part of schema postil: {message}.", advice="Run `postil migrate`."
        )
    if sqlstate in _MALFORMED:
        return InvalidInput(f"The database cannot read a parameter: {message}.")
    if not sqlstate or sqlstate.startswith(("08", "57P", "53")) or sqlstate in {"28P01", "28000", "3D000"}:
        return Unavailable(
            f"The database cannot be used now: {message}",
            advice="Check that it runs and that the URL is right (`postil doctor`), then try again.",
        )
    return WriteRefused(f"The database refused the statement ({sqlstate}): {message}.")
