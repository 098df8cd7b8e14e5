"""The requests to the database that the owner of the lanes makes, and what each of them does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog
from psycopg import Connection
from psycopg import errors as pg

from postil.runtime.failpoints import reach
from postil_relay import lease as leases
from postil_relay import parking
from postil_relay.lease import Lease
from postil_relay.machine.commands import Park, Replay, Save, Unpark
from postil_relay.machine.reports import Parked, Replayed, Report, Saved, UnparkRequested
from postil_relay.window_reader import WindowReader

logger: Any = structlog.get_logger("postil.relay")


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the lease, unless a save renewed it within the last `unless_within` seconds."""

    unless_within: float


@dataclass(frozen=True, slots=True)
class FindUnparkRequests:
    """Report each parked run that an operator wants published."""


@dataclass(frozen=True, slots=True)
class ExtendLog:
    """Make the partitions of the event log that the next events need."""


LaneRequest: TypeAlias = Save | Park | Unpark | Replay | Renew | FindUnparkRequests | ExtendLog


class LaneRequests:
    """Carries out requests under one lease. The database thread calls it. Each write checks that the lease is held."""

    def __init__(self, connection: Connection[Any], lease: Lease) -> None:
        self._connection = connection
        self._lease = lease
        self.reader = WindowReader(connection, before_long=lambda: self._renew(leases.LONG_SECONDS))
        self.owned_until = time.monotonic() + leases.SECONDS
        """When the lease ends, on the monotonic clock."""

    def execute(self, request: LaneRequest) -> Sequence[Report]:
        """Carry out one request and return its reports. Raises `LeaseLost`, or an error of the driver."""
        match request:
            case Save(cursor):
                reach("relay.checkpoint_due")
                began = time.monotonic()
                leases.save(self._connection, self._lease, cursor)
                reach("relay.checkpoint_saved")
                self.owned_until = began + leases.SECONDS
                return [Saved(cursor)]
            case Park(key, run_seq, reason):
                parking.park(self._connection, self._lease, key, run_seq, reason)
                return [Parked(key)]
            case Unpark(key):
                parking.forget(self._connection, key)
                logger.info("unparked", run=key.decode())
            case Replay(key, run_seq):
                rows, complete = self.reader.run(*parking.split(key), run_seq)
                return [Replayed(key, rows, complete)]
            case Renew(unless_within):
                if self.owned_until - time.monotonic() < leases.SECONDS - unless_within:
                    self._renew(leases.SECONDS)
            case FindUnparkRequests():
                return [
                    UnparkRequested(key, run_seq)
                    for key, run_seq, unparking in parking.keys(self._connection)
                    if unparking
                ]
            case ExtendLog():
                self._extend_log()
        return []

    def _renew(self, seconds: float) -> None:
        began = time.monotonic()
        leases.renew(self._connection, self._lease, seconds)
        self.owned_until = began + seconds

    def _extend_log(self) -> None:
        try:
            self._connection.execute("select postil.extend_log()")
        except (pg.UndefinedFunction, pg.LockNotAvailable, pg.InsufficientPrivilege) as error:
            logger.warning("the log was not extended", why=str(error).splitlines()[0])
