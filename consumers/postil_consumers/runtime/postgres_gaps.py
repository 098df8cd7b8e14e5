"""A `GapSource` over the event log in Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from postil.errors import ConfigurationError, Retryable, Unavailable
from postil.postgres import sqlstates

_PAGE = 1_000
_CONNECT_SECONDS = 5

# Each page is one transaction and sets the limit inside it: PgBouncer may give every transaction another session.
_LIMIT = "set local statement_timeout = '30s'"
_EVENTS = """
select e.run_seq, postil.envelope(e) from postil.event e
where e.tenant = %s and e.run_id = %s and e.run_seq between %s and %s
order by e.run_seq limit %s
"""


class PostgresGaps:
    """Reads missing events. Connects at the first read, and again after an error."""

    def __init__(self, url: str) -> None:
        """`url` is a connection URL as psql accepts it."""
        self._url = url
        self._connection: psycopg.Connection[tuple[int, str]] | None = None

    def events(self, run: str, first: int, last: int) -> Iterator[bytes]:
        """Yield the values of the run's events, page by page. Raises `Unavailable` while the database is unavailable."""
        tenant, _, run_id = run.partition("/")
        if "\0" in run:
            return  # Postgres cannot store this text, so no such run exists
        while first <= last:
            rows = self._page(tenant, run_id, first, last)
            yield from (value.encode() for _, value in rows)
            if len(rows) < _PAGE:
                return
            first = rows[-1][0] + 1

    def _page(self, tenant: str, run_id: str, first: int, last: int) -> list[tuple[int, str]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url, connect_timeout=_CONNECT_SECONDS, prepare_threshold=None
                )
            with self._connection.transaction():
                self._connection.execute(_LIMIT)
                return self._connection.execute(_EVENTS, (tenant, run_id, first, last, _PAGE)).fetchall()
        except psycopg.Error as error:
            self.close()
            raise typed_error(error, f"reading events {first} to {last} of {tenant}/{run_id}") from error

    def close(self) -> None:
        """Close the connection. The next read opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def typed_error(error: psycopg.Error, doing: str) -> Unavailable | ConfigurationError:
    """Return the typed error for an error of the driver. It is `ConfigurationError` if an operator must change something."""
    failure = sqlstates.typed_error(
        error.sqlstate,
        error.diag.message_primary or sqlstates.first_line(error),
        concerns_connection=isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)),
    )
    what = f"Postgres: {doing}: {failure.what}"
    if isinstance(failure, (Unavailable, Retryable)):
        return Unavailable(
            what,
            advice="Check POSTIL_DATABASE_URL and that the server runs; a running consumer tries again by itself.",
        )
    return ConfigurationError(what, advice=failure.advice)
