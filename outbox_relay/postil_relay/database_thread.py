"""The relay's one connection to Postgres, and the thread that speaks through it.

Reading a page and producing the one before it then overlap, and a server that hangs does not hang the relay.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import Connection
from psycopg import errors as pg

from postil.errors import PostilError, SchemaOutdated, Unavailable
from postil_relay.commands import Cursor
from postil_relay.window_reader import Fetched, Log

Answer = TypeVar("Answer")

# A dead network is noticed within seconds, not after the kernel's two hours.
_CONNECT: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000,
}  # fmt: skip

BUSY, IDLE = 0.001, 0.025
"""Seconds between two looks at the log: after events, and when there have been none for a while."""


def connect(url: str) -> Connection[Any]:
    """Open the relay's connection. Raises `Unavailable`; the relay's policy is to try again."""
    try:
        return psycopg.connect(
            url, autocommit=True, prepare_threshold=None, application_name="postil relay", **_CONNECT
        )
    except psycopg.Error as error:
        raise translated(error) from error


def translated(error: Exception) -> PostilError:
    """The typed error for what the driver or one of our own functions raised."""
    if isinstance(error, PostilError):
        return error
    if isinstance(error, (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.InvalidSchemaName)):
        return SchemaOutdated(
            f"The database lacks part of schema postil: {_line(error)}", advice="Run `postil migrate`."
        )
    return Unavailable(
        f"Postgres cannot be used now: {_line(error)}",
        advice="Check that it runs and POSTIL_DATABASE_URL (`postil doctor`); the relay itself tries again.",
    )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class Database(threading.Thread, Generic[Answer]):
    """Runs requests one after the other and hands each answer, or the error it ended with, to `inbox`.

    After an error nothing more is run: the connection is of no more use.
    """

    def __init__(
        self, connection: Connection[Any], log: Log, inbox: Callable[[Answer | PostilError], None]
    ) -> None:
        super().__init__(name="postil-relay-database", daemon=True)
        self._connection = connection
        self._log = log
        self._inbox = inbox
        self._requests: deque[Callable[[], Answer] | None] = deque()
        self._wake = threading.Condition()
        self._pause = IDLE
        self._looked_at = 0.0
        self.began: float | None = None
        """When the running request began, on the monotonic clock; None between requests."""

    def ask(self, request: Callable[[], Answer]) -> None:
        """Run `request` after those asked for before."""
        with self._wake:
            self._requests.append(request)
            self._wake.notify()

    def look(self, cursor: Cursor) -> Fetched:
        """Fetch what follows `cursor`, waiting a moment for new events; any other request ends the wait."""
        while True:
            self._pace()
            self._looked_at = time.monotonic()
            self.began = self._looked_at
            fetched = self._log.fetch(cursor)
            if fetched.rows or cursor.hi is not None or fetched.then.hi is not None:
                self._pause = BUSY
                return fetched
            cursor = fetched.then
            slower = min(IDLE, self._pause * 1.5)
            if self._requests or self._pause >= IDLE:
                self._pause = slower
                return fetched
            self._pause = slower

    def close(self) -> None:
        """End the thread after what was asked for; a request that hangs loses its connection."""
        with self._wake:
            self._requests.append(None)
            self._wake.notify()
        self.join(timeout=5)
        if self.is_alive():
            self.cut()
            self.join(timeout=5)

    def cut(self) -> None:
        """End a request that hangs: the blocking call returns with an error."""
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.pgconn.socket)) as wire,
        ):
            wire.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Serve requests until closed or failed."""
        while True:
            with self._wake:
                while not self._requests:
                    self.began = None
                    self._wake.wait()
                request = self._requests.popleft()
            if request is None:
                return
            self.began = time.monotonic()
            try:
                answer = request()
            except (PostilError, psycopg.Error) as error:
                self._inbox(translated(error))
                return
            self._inbox(answer)

    def _pace(self) -> None:
        rest = self._looked_at + self._pause - time.monotonic()
        if rest > 0:
            self.began = None
            with self._wake:
                if not self._requests:
                    self._wake.wait(rest)
