"""One term as the owner of the lanes: the loop that carries out commands and gives reports to the state machine."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection

from postil.runtime.failpoints import reach
from postil_relay import lease as leases
from postil_relay.database_thread import DatabaseThread
from postil_relay.errors import LeaseLost
from postil_relay.kafka_producer import Producer
from postil_relay.lane_requests import ExtendLog, FindUnparkRequests, LaneRequest, LaneRequests, Renew
from postil_relay.lease import Lease
from postil_relay.machine.commands import (
    Command,
    Commands,
    Fetch,
    Park,
    Pause,
    Replace,
    Replay,
    Save,
    Send,
    Stalled,
    Unpark,
)
from postil_relay.machine.reports import (
    Acknowledged,
    DrainRequested,
    LeaseEnded,
    ProducerFailed,
    Refused,
    Report,
    Ticked,
)
from postil_relay.machine.rows import Row, Verdict
from postil_relay.machine.state_machine import Machine

logger: Any = structlog.get_logger("postil.relay")

POLL = 0.005
"""Longest wait in one round of the loop while messages are in flight, in seconds."""
IDLE = 0.1
"""Longest wait in one round of the loop otherwise, in seconds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals in seconds."""

    renew: float = leases.SECONDS / 3
    """Between two renewals of the lease."""
    claim: float = 0.5
    """Between two attempts of a standby to claim the lanes."""
    unpark: float = 1.0
    """Between two looks for runs that an operator unparked."""
    extend: float = 60.0
    """Between two extensions of the event log."""
    drain: float = 10.0
    """Longest wait for messages in flight when the relay ends."""


@dataclass(slots=True)
class Chore:
    """A request that is made every `every` seconds. `due` is on the monotonic clock."""

    request: LaneRequest
    every: float
    due: float = 0.0


class Leader:
    """Publishes under one lease."""

    def __init__(
        self,
        connection: Connection[Any],
        lease: Lease,
        *,
        machine: Machine,
        new_producer: Callable[[], Producer],
        timing: Timing,
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._machine = machine
        self._new_producer = new_producer
        self._timing = timing
        self._inbox: queue.SimpleQueue[Report | Exception] = queue.SimpleQueue()
        self._requests = LaneRequests(connection, lease)
        self._database = DatabaseThread[LaneRequest](
            connection, self._requests.reader, self._requests.execute, self._inbox.put
        )
        self._producer = new_producer()
        self._chores = [
            Chore(Renew(timing.renew / 2), timing.renew, due=time.monotonic() + timing.renew),
            Chore(FindUnparkRequests(), timing.unpark),
            Chore(ExtendLog(), timing.extend),
        ]

    def lead(self, stop: threading.Event) -> None:
        """Publish until `stop` is set, then drain and release the lease.

        Raises `LeaseLost` and the typed errors of Postgres, such as `Unavailable`. Then nothing more is sent.
        """
        self._database.start()
        try:
            self._loop(stop)
        except BaseException:
            self._machine.handle(LeaseEnded())
            raise
        finally:
            self._producer.drop()
            self._database.close()
        reach("relay.drained")
        leases.release(self._connection, self._lease)
        logger.info("released", acknowledged=self._machine.acknowledged)

    def _loop(self, stop: threading.Event) -> None:
        deadline: float | None = None
        while True:
            now = time.monotonic()
            if now > self._requests.owned_until:
                raise LeaseLost(
                    "The lease ran out before it could be renewed.", advice="The relay claims it again."
                )
            if deadline is None and stop.is_set():
                deadline = now + self._timing.drain
                self._report(DrainRequested())
            if deadline is not None and (self._machine.drained or now > deadline):
                return
            if self._producer.fatal is not None:
                logger.error("producer failed, replacing it", why=self._producer.fatal.str())
                self._report(ProducerFailed())
            self._report(Ticked(now))
            self._do_chores(now)
            self._await_reports()

    def _await_reports(self) -> None:
        machine = self._machine
        if machine.fetching or machine.idle:
            # Rows wake the loop at once. Acknowledgements can wait the few milliseconds.
            self._take_from_inbox(POLL if machine.in_flight else IDLE)
            self._producer.poll(0, self._on_accepted, self._on_refused)
        else:
            self._producer.poll(POLL, self._on_accepted, self._on_refused)
            self._take_from_inbox(0)

    def _take_from_inbox(self, seconds: float) -> None:
        try:
            report = self._inbox.get(timeout=seconds) if seconds else self._inbox.get_nowait()
            while True:
                if isinstance(report, Exception):
                    raise report
                self._report(report)
                report = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _on_accepted(self, batch: int, count: int) -> None:
        self._report(Acknowledged(batch, count))

    def _on_refused(self, batch: int, row: Row, verdict: Verdict, reason: str) -> None:
        self._report(Refused(batch, row, verdict, reason))

    def _report(self, report: Report) -> None:
        self._carry_out(self._machine.handle(report))

    def _carry_out(self, commands: Commands) -> None:
        for command in commands:
            self._carry_out_one(command)

    def _carry_out_one(self, command: Command) -> None:
        match command:
            case Send(batch, rows):
                self._producer.send(batch, rows)
                reach("relay.rows_produced")
            case Fetch() | Save() | Unpark() | Replay():
                self._database.ask(command)
            case Park(key, run_seq, reason):
                logger.error("parking a run", run=key.decode(), run_seq=run_seq, why=reason)
                self._database.ask(command)
            case Pause(reason, seconds):
                logger.error("paused, nothing is published", why=reason, again_in=seconds)
            case Stalled(seconds, waiting):
                logger.warning("kafka acknowledges nothing", for_seconds=round(seconds), waiting=waiting)
            case Replace():
                self._producer.drop()
                self._producer = self._new_producer()

    def _do_chores(self, now: float) -> None:
        for chore in self._chores:
            if now < chore.due:
                continue
            chore.due = now + chore.every
            if self._machine.parked or not isinstance(chore.request, FindUnparkRequests):
                self._database.ask(chore.request)
