"""Writes batches of histories to Postgres, and outlives its restarts: the only file of the import that knows a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

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

RECORD = "select run_id, events, created from postil.record_runs(%s, %s::jsonb)"
# After a lost connection nobody knows whether the last batch was committed; these were, by us.
WRITTEN_SINCE = "select id from postil.run where tenant = %s and id = any(%s) and created_at >= %s"

PATIENCE = 120.0
"""Seconds an import waits for a database that went away in the middle."""
# Dead peers are noticed: an import must never hang on a machine that is gone.
_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "prepare_threshold": None,  # nothing may stay in the session: it can be a pooler's
}
_REFUSES_ALL = (NotDurable, TenantMismatch, TenantNotFound)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A history as JSON text, on its way to the database."""

    run_id: str
    where: str
    records: int
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one history: its number of events and whether it is new, or the refusal."""

    encoded: Encoded
    events: int = 0
    created: bool = False
    refused: WriteRefused | None = None


class Writer:
    """Records histories in one tenant; safe to use from several threads, each with a connection of its own.

    `on_wait` is told each time the database is waited for: the error, and the seconds until the next try.
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
        """Raises `Unavailable` at once where the database cannot be reached: waiting is for one that was there;
        `InvalidInput` where the tenant is no text a database can hold.
        """
        self._tenant = check_text(tenant, "tenant")
        self._on_wait = on_wait
        self._given_up = Event()
        self._engine = create_engine(
            sqlalchemy_url(url),
            pool_size=connections,
            max_overflow=0,
            connect_args=_CONNECT,
            pool_reset_on_return="rollback",
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type((Unavailable, Retryable)),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            stop=stop_any(stop_after_delay(patience), stop_when_event_set(self._given_up)),
            sleep=sleep_using_event(self._given_up),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            self._since: datetime = self._once("select clock_timestamp()", ())[0][0]
        except PostilError:
            self._engine.dispose()
            raise

    def give_up(self) -> None:
        """Stop waiting for a database that is away: each `record` under way raises what it last met."""
        self._given_up.set()

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def record(self, batch: Sequence[Encoded]) -> list[Outcome]:
        """Record a batch in one transaction; what is refused is found by halving, and alone left out.

        Raises `Unavailable` when the database stays away longer than `patience`,
        and the refusal itself where it concerns every run (an unknown tenant, say).
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
        found: dict[str, tuple[int, bool]] = {run_id: (events, created) for run_id, events, created in rows}
        if attempts > 1:
            ids = [run_id for run_id, (_, created) in found.items() if not created]
            for (run_id,) in self._retrying(self._once, WRITTEN_SINCE, (self._tenant, ids, self._since)):
                found[run_id] = (found[run_id][0], True)
        return found

    def _once(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            with self._engine.begin() as connection:
                return list(self._run(connection, statement, parameters))
        except DBAPIError as error:
            raise translated(error) from error

    def _run(self, connection: Connection, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        return connection.exec_driver_sql(statement, parameters).all()

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self._on_wait and isinstance(error, PostilError):
            self._on_wait(error, state.upcoming_sleep)
