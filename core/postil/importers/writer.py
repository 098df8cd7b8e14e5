"""Writes batches of histories to Postgres and survives its restarts. No other module of the import uses a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from tenacity import RetryCallState

from postil.errors import (
    NotDurable,
    PostilError,
    Retryable,
    TenantMismatch,
    TenantNotFound,
    Unavailable,
    WriteRefused,
)
from postil.model.json_text import check_text
from postil.postgres.failures import translated
from postil.postgres.url import sqlalchemy_url
from postil.runtime.retry import until_stopped

RECORD = "select run_id, events, created from postil.record_runs(%s, %s::jsonb)"
# After a lost connection it is unknown whether the last batch was committed. These runs were, by this import.
WRITTEN_SINCE = "select id from postil.run where tenant = %s and id = any(%s) and created_at >= %s"

PATIENCE = 120.0
"""How long an import waits for a database that became unavailable, in seconds."""
# With keepalives a dead server is detected: an import must never hang on a machine that no longer exists.
_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "prepare_threshold": None,  # no session state: the connection may belong to a pooler
}
_REFUSES_ALL = (NotDurable, TenantMismatch, TenantNotFound)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A history as JSON text, ready to be sent."""

    run_id: str
    where: str
    records: int
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one history: its number of events and whether it is new, or why it was refused."""

    encoded: Encoded
    events: int = 0
    created: bool = False
    refused: WriteRefused | None = None


class Writer:
    """Records histories in one tenant. Several threads may use it; each uses a separate connection.

    `on_wait` is called before each wait for the database, with the error and the seconds until the next attempt.
    """

    def __init__(
        self,
        url: str,
        tenant: str,
        *,
        connections: int = 2,
        patience: float = PATIENCE,
        on_wait: Callable[[PostilError, float], None] | None = None,
    ) -> None:
        """Connect to the database.

        Raises `Unavailable` at once if it cannot be reached: only a database that was available before is waited for.
        Raises `InvalidInput` if the tenant is not a text that PostgreSQL can store.
        """
        self._tenant = check_text(tenant, "tenant")
        self._on_wait = on_wait
        self._stop_waiting = Event()
        self._engine = create_engine(
            sqlalchemy_url(url),
            pool_size=connections,
            max_overflow=0,
            connect_args=_CONNECT,
            pool_reset_on_return="rollback",
        )
        self._retrying = until_stopped(
            self._stop_waiting,
            longest_pause=2.0,
            before_pause=self._report_wait,
            retry_on=(Unavailable, Retryable),
            patience=patience,
        )
        try:
            self._since: datetime = self._once("select clock_timestamp()", ())[0][0]
        except PostilError:
            self._engine.dispose()
            raise

    def give_up(self) -> None:
        """Stop waiting for an unavailable database: each running `record` raises the last error it met."""
        self._stop_waiting.set()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def record(self, batch: Sequence[Encoded]) -> list[Outcome]:
        """Record a batch in one transaction. If it is refused, halve it until only the refused histories are left out.

        Raises `Unavailable` if the database stays unavailable for more than `patience` seconds.
        Raises the refusal itself if it concerns every run, for example an unknown tenant.
        """
        try:
            rows = self._committed(batch)
        except _REFUSES_ALL:
            raise
        except WriteRefused as refusal:
            if len(batch) == 1:
                return [Outcome(batch[0], refused=refusal)]
            middle = len(batch) // 2
            return [*self.record(batch[:middle]), *self.record(batch[middle:])]
        return [Outcome(encoded, *rows[encoded.run_id]) for encoded in batch]

    def _committed(self, batch: Sequence[Encoded]) -> dict[str, tuple[int, bool]]:
        histories = f"[{','.join(encoded.text for encoded in batch)}]"
        attempts = 0
        rows: list[Any] = []
        for attempt in self._retrying:
            with attempt:
                attempts += 1
                rows = self._once(RECORD, (self._tenant, histories))
        results: dict[str, tuple[int, bool]] = {run_id: (events, created) for run_id, events, created in rows}
        if attempts > 1:
            ids = [run_id for run_id, (_, created) in results.items() if not created]
            for (run_id,) in self._retrying(self._once, WRITTEN_SINCE, (self._tenant, ids, self._since)):
                results[run_id] = (results[run_id][0], True)
        return results

    def _once(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            with self._engine.begin() as connection:
                return list(self._run(connection, statement, parameters))
        except DBAPIError as error:
            raise translated(error) from error

    def _run(self, connection: Connection, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        return connection.exec_driver_sql(statement, parameters).all()

    def _report_wait(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self._on_wait and isinstance(error, PostilError):
            self._on_wait(error, state.upcoming_sleep)
