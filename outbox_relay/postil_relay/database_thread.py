"""The relay's one connection to Postgres, and the thread that uses it.

With its own thread, the relay reads one page while it sends the page before, and a server that hangs does not block it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import Connection

from postil.errors import PostilError
from postil.postgres.sqlstates import first_line, typed_error
from postil.runtime.failpoints import reach
from postil_relay.machine.commands import Fetch
from postil_relay.machine.reports import Report, RowsFetched
from postil_relay.machine.rows import Cursor
from postil_relay.window_reader import Fetched, WindowReader

Request = TypeVar("Request")

# With keepalives a dead network is noticed within seconds. The kernel's default is two hours.
_CONNECT: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000,
}  # fmt: skip

BUSY, IDLE = 0.001, 0.025
"""Seconds between two polls of the event log: after events, and after a time without events."""


def connect(url: str) -> Connection[Any]:
    """Open the relay's connection. Raises a typed error, mostly `Unavailable`; the relay retries then."""
    try:
        return psycopg.connect(
            url, autocommit=True, prepare_threshold=None, application_name="postil relay", **_CONNECT
        )
    except psycopg.Error as error:
        raise translated(error) from error


def translated(error: psycopg.Error) -> PostilError:
    """Return the typed error for an error of the driver."""
    return typed_error(
        error.sqlstate,
        error.diag.message_primary or first_line(error),
        concerns_connection=isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)),
    )


class DatabaseThread(threading.Thread, Generic[Request]):
    """Carries out requests one after the other, and gives each report to `inbox`.

    It reads the event log itself, for `Fetch`. Every other request goes to `execute`.
    If a request fails, `inbox` receives the error and the thread ends: the connection cannot be used any more.
    """

    def __init__(
        self,
        connection: Connection[Any],
        reader: WindowReader,
        execute: Callable[[Request], Sequence[Report]],
        inbox: Callable[[Report | Exception], None],
    ) -> None:
        super().__init__(name="postil-relay-database", daemon=True)
        self._connection = connection
        self._reader = reader
        self._execute = execute
        self._inbox = inbox
        self._requests: deque[Fetch | Request | None] = deque()
        self._wake = threading.Condition()
        self._pause = IDLE
        self._polled_at = 0.0

    def ask(self, request: Fetch | Request) -> None:
        """Queue a request."""
        self._put(request)

    def close(self) -> None:
        """End the thread after the queued requests. A request that hangs loses its connection."""
        self._put(None)
        self.join(timeout=5)
        if self.is_alive():
            self._cut()
            self.join(timeout=5)

    def run(self) -> None:
        """Serve requests until closed or failed."""
        while True:
            with self._wake:
                while not self._requests:
                    self._wake.wait()
                request = self._requests.popleft()
            if request is None:
                return
            try:
                reports = [self._fetch(request)] if isinstance(request, Fetch) else self._execute(request)
            except Exception as error:  # noqa: BLE001 (the owner of the inbox raises it)
                self._inbox(translated(error) if isinstance(error, psycopg.Error) else error)
                return
            for report in reports:
                self._inbox(report)

    def _fetch(self, fetch: Fetch) -> RowsFetched:
        fetched = self._poll(fetch.cursor)
        if fetched.rows:
            reach("relay.window_fetched")
        return RowsFetched(fetched.rows, fetched.then)

    def _poll(self, cursor: Cursor) -> Fetched:
        """Fetch what follows `cursor`, and wait a moment for new events. Any other request ends the wait."""
        while True:
            self._wait_for_next_poll()
            self._polled_at = time.monotonic()
            fetched = self._reader.fetch(cursor)
            if fetched.rows or cursor.hi is not None or fetched.then.hi is not None:
                self._pause = BUSY
                return fetched
            cursor = fetched.then
            longer = min(IDLE, self._pause * 1.5)
            if self._requests or self._pause >= IDLE:
                self._pause = longer
                return fetched
            self._pause = longer

    def _wait_for_next_poll(self) -> None:
        rest = self._polled_at + self._pause - time.monotonic()
        if rest > 0:
            with self._wake:
                if not self._requests:
                    self._wake.wait(rest)

    def _put(self, request: Fetch | Request | None) -> None:
        with self._wake:
            self._requests.append(request)
            self._wake.notify()

    def _cut(self) -> None:
        """End a request that hangs: the blocking call raises an error."""
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.pgconn.socket)) as connected,
        ):
            connected.shutdown(socket.SHUT_RDWR)
