"""What the SQLSTATEs of PostgreSQL mean to a caller: one table for every driver. Pure.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from postil.errors import (
    InvalidInput,
    PostilError,
    Retryable,
    SchemaOutdated,
    Unavailable,
    WriteRefused,
    from_sqlstate,
)

# Serialisation failure, deadlock, lock timeout, statement timeout: none of the transaction was stored.
_RETRYABLE = {"40001", "40P01", "55P03", "57014"}
# Unknown schema, function, table and column.
_NO_SCHEMA = {"3F000", "42883", "42P01", "42703"}
# The server cannot read a parameter, so that no function of Postil sees it.
_MALFORMED = ("22", "54")
# Connection lost, server shutting down, out of resources, and login refused.
_UNAVAILABLE = ("08", "57P", "53", "28P01", "28000", "3D000")
_READ_ONLY = "25006"
_NO_RIGHTS = "42501"


def typed_error(
    sqlstate: str | None,
    message: str,
    *,
    concerns_connection: bool,
    detail: str | None = None,
    hint: str | None = None,
) -> PostilError:
    """Return the error of `postil.errors` for an error of a driver.

    `sqlstate` is None if the server sent none. Then `concerns_connection` decides: the connection could not be made
    or was lost, or else a parameter could not be sent. `message`, `detail` and `hint` are the server's fields,
    or the driver's text.
    """
    if sqlstate is None:
        sqlstate = "08000" if concerns_connection else "22000"
    if sqlstate.startswith("PS"):
        return from_sqlstate(sqlstate, message, detail=detail, hint=hint)
    if sqlstate in _RETRYABLE:
        return Retryable(
            f"The transaction conflicted with another, or took too long: {message}.",
            advice="Run the whole transaction again.",
        )
    if sqlstate in _NO_SCHEMA:
        return SchemaOutdated(
            f"The database lacks part of schema postil: {message}.", advice="Run `postil migrate`."
        )
    if sqlstate == _READ_ONLY:
        return Unavailable(
            f"The server or the transaction is read-only: {message}.",
            advice="Use the URL of the primary, and a transaction that may write.",
        )
    if sqlstate.startswith(_UNAVAILABLE):
        return Unavailable(
            f"The database cannot be used now: {message}",
            advice="Check that it runs and that the URL is right (`postil doctor`), then try again.",
        )
    if sqlstate.startswith(_MALFORMED):
        return InvalidInput(f"The database cannot read a parameter: {message}.")
    if sqlstate == _NO_RIGHTS:
        return WriteRefused(
            f"The role may not do this: {message}.",
            advice="Grant it the rights on the database and on schema postil, or use the role that owns them.",
        )
    return WriteRefused(f"The database refused the statement ({sqlstate}): {message}.")


def first_line(error: object) -> str:
    """Return what happened, without the further lines of libpq: they contain questions, or repeat the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
