"""The loop around the state machine: becomes the owner of the lanes, carries out commands, brings reports back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import psycopg
import structlog
from confluent_kafka import KafkaError
from psycopg import Connection
from psycopg import errors as pg

from postil.errors import PostilError, SchemaOutdated, Unavailable
from postil.model.limits import LANES
from postil.runtime.failpoints import reach
from postil_relay import lease as leases
from postil_relay import parking
from postil_relay.commands import (
    Command,
    Fetch,
    Limits,
    Park,
    Pause,
    Replace,
    Replay,
    Row,
    Save,
    Send,
    Stalled,
    Unpark,
)
from postil_relay.database_thread import Database, connect, translated
from postil_relay.errors import LeaseLost
from postil_relay.kafka_producer import Outlet, Topic, ensure_topic, verdict
from postil_relay.lease import Lease
from postil_relay.policies import kafka_unreachable, postgres_unreachable
from postil_relay.state_machine import Commands, Machine
from postil_relay.window_reader import Log

log: Any = structlog.get_logger("postil.relay")

FAILPOINTS = (
    "relay.lanes_claimed", "relay.window_fetched", "relay.rows_produced", "relay.checkpoint_due",
    "relay.checkpoint_saved", "relay.drained",
)  # fmt: skip
"""Steps at which a test may kill the relay, in the order in which a relay reaches them first."""

Report: TypeAlias = Callable[[Machine], Commands]
"""What the database thread answers: the report to make to the machine."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how often to renew, to look for a free lease, for unparked runs, and to extend the log; patience of a drain."""

    renew: float = leases.SECONDS / 3
    claim: float = 0.5
    unpark: float = 1.0
    extend: float = 60.0
    drain: float = 10.0


class Relay:
    """Publishes the log of the database at `url` to a Kafka topic until it is told to stop.

    `on_ready` is called once, when both are reached and the relay publishes, or stands by for the one that does.
    """

    def __init__(
        self,
        url: str,
        kafka: dict[str, str],
        topic: str,
        *,
        partitions: int = 6,
        limits: Limits | None = None,
        timing: Timing | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._kafka = kafka
        self._topic = Topic(topic, partitions)  # what it is to be; what it is turns out on connecting
        self._limits = limits or Limits()
        self._timing = timing or Timing()
        self._on_ready: Callable[[], None] | None = on_ready
        self._owner = leases.owner_name()

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set, then drain and release the lease.

        Outlasts the absence of Postgres and of Kafka. Raises `HotStandby`, `ForeignLog` and `TopicUnusable`.
        """
        try:
            topic = kafka_unreachable(stop)(
                ensure_topic, self._kafka, self._topic.name, self._topic.partitions
            )
            self._topic = topic
            self._limits = replace(self._limits, large=topic.large)
            while not stop.is_set():
                connection = postgres_unreachable(stop)(self._open)
                try:
                    self._serve(connection, stop)
                except (Unavailable, SchemaOutdated, LeaseLost) as error:
                    log.warning("interrupted", why=error.what)
                finally:
                    connection.close()
        except Unavailable:
            if not stop.is_set():
                raise

    def _open(self) -> Connection[Any]:
        connection = connect(self._url)
        try:
            leases.check_server(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, (psycopg.Error, SchemaOutdated)):
                # A schema that is not there yet will be: the stack starts all its parts at once.
                raise Unavailable(translated(error).what, advice="Run `postil migrate`.") from error
            raise
        return connection

    def _serve(self, connection: Connection[Any], stop: threading.Event) -> None:
        try:
            held = self._stand_by(connection, stop)
            if held is not None:
                _Leader(self, connection, held).lead(stop)
        except psycopg.Error as error:
            raise translated(error) from error

    def _stand_by(self, connection: Connection[Any], stop: threading.Event) -> Lease | None:
        said = False
        while not stop.is_set():
            held = leases.claim(connection, self._owner)
            if held is not None:
                reach("relay.lanes_claimed")
                log.info("publishing", lanes=LANES, epoch=held.epoch, topic=self._topic.name)
                self._ready()
                return held
            if not said:
                log.info("standing by", why="another relay owns the lanes")
                said = True
                self._ready()
            stop.wait(self._timing.claim)
        return None

    def _ready(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    # What a leader needs of its relay.

    def new_outlet(self) -> Outlet:
        """A producer of its own, with nothing in it."""
        return Outlet(self._kafka, self._topic, _note_kafka())

    def new_machine(self, held: Lease, parked: list[bytes]) -> Machine:
        """The machine at the place the lanes were left at."""
        return Machine(held.cursor, parked=parked, limits=self._limits)

    @property
    def timing(self) -> Timing:
        """How often things are done."""
        return self._timing


class _Leader:
    """One term as owner of the lanes."""

    def __init__(self, relay: Relay, connection: Connection[Any], held: Lease) -> None:
        self._relay = relay
        self._timing = relay.timing
        self._connection = connection
        self._lease = held
        self._owned_until = time.monotonic() + leases.SECONDS
        self._inbox: queue.SimpleQueue[Report | PostilError] = queue.SimpleQueue()
        self._log = Log(connection, before_long=lambda: self._renew(leases.LONG_SECONDS))
        self._database: Database[Report] = Database(connection, self._log, self._inbox.put)
        self._due = {"renew": time.monotonic() + self._timing.renew, "unpark": 0.0, "extend": 0.0}
        parked = parking.keys(connection)
        self._machine = relay.new_machine(held, [key for key, _, _ in parked])
        self._outlet = relay.new_outlet()

    def lead(self, stop: threading.Event) -> None:
        """Publish until told to stop. Raises `LeaseLost` or `Unavailable`; then nothing more is sent."""
        self._database.start()
        try:
            self._loop(stop)
        except BaseException:
            self._machine.on_lease_lost()
            raise
        finally:
            self._outlet.drop()
            self._database.close()
        reach("relay.drained")
        leases.release(self._connection, self._lease)
        log.info("released", acknowledged=self._machine.acknowledged)

    def _loop(self, stop: threading.Event) -> None:
        deadline: float | None = None
        while True:
            now = time.monotonic()
            if now > self._owned_until:
                raise LeaseLost(
                    "The lease ran out before it could be renewed.", advice="The relay claims it again."
                )
            if deadline is None and stop.is_set():
                deadline = now + self._timing.drain
                self._perform(self._machine.on_drain())
            if deadline is not None and (self._machine.drained or now > deadline):
                return
            if self._outlet.fatal is not None:
                log.error("producer failed, replacing it", why=self._outlet.fatal.str())
                self._perform(self._machine.on_fatal())
            self._perform(self._machine.on_tick(now))
            self._housekeep(now)
            self._await_reports()

    def _await_reports(self) -> None:
        machine = self._machine
        if machine.fetching or machine.idle:
            # Rows wake the loop at once; acknowledgements can wait the few milliseconds.
            self._take(0.005 if machine.in_flight else 0.1)
            self._outlet.poll(0, self._acked, self._nacked)
        else:
            self._outlet.poll(0.005, self._acked, self._nacked)
            self._take(0)

    def _take(self, seconds: float) -> None:
        try:
            report = self._inbox.get(timeout=seconds) if seconds else self._inbox.get_nowait()
            while True:
                if isinstance(report, PostilError):
                    raise report
                self._perform(report(self._machine))
                report = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _acked(self, batch: int, count: int) -> None:
        self._perform(self._machine.on_ack(batch, count))

    def _nacked(self, batch: int, row: Row, error: KafkaError) -> None:
        self._perform(self._machine.on_nack(batch, row, verdict(error), error.str()))

    # -- commands ----------------------------------------------------------------------------------------------------

    def _perform(self, commands: Commands) -> None:
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(batch, rows):
                self._outlet.send(batch, rows)
                reach("relay.rows_produced")
            case Fetch():
                self._database.ask(lambda: self._fetched(command))
            case Save():
                self._database.ask(lambda: self._saved(command))
            case Park():
                log.error(
                    "parking a run", run=command.key.decode(), run_seq=command.run_seq, why=command.reason
                )
                self._database.ask(lambda: self._parked(command))
            case Unpark(key):
                self._database.ask(lambda: self._unparked(key))
            case Replay():
                self._database.ask(lambda: self._replayed(command))
            case Pause(reason, seconds):
                log.error("paused, nothing is published", why=reason, again_in=seconds)
            case Stalled(seconds, waiting):
                log.warning("kafka acknowledges nothing", for_seconds=round(seconds), waiting=waiting)
            case Replace():
                self._outlet.drop()
                self._outlet = self._relay.new_outlet()

    def _fetched(self, command: Fetch) -> Report:
        fetched = self._database.look(command.cursor)
        if fetched.rows:
            reach("relay.window_fetched")
        return lambda machine: machine.on_rows(fetched.rows, fetched.then)

    def _saved(self, command: Save) -> Report:
        reach("relay.checkpoint_due")
        began = time.monotonic()
        leases.save(self._connection, self._lease, command.cursor)
        reach("relay.checkpoint_saved")
        self._owned_until = began + leases.SECONDS
        return lambda machine: machine.on_saved(command.cursor)

    def _parked(self, command: Park) -> Report:
        parking.park(self._connection, self._lease, command.key, command.run_seq, command.reason)
        return lambda machine: machine.on_parked(command.key)

    def _unparked(self, key: bytes) -> Report:
        parking.forget(self._connection, key)
        log.info("unparked", run=key.decode())
        return lambda _: []

    def _replayed(self, command: Replay) -> Report:
        rows, complete = self._log.run(*parking.split(command.key), command.run_seq)
        return lambda machine: machine.on_replayed(command.key, rows, complete=complete)

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _housekeep(self, now: float) -> None:
        for name, due in self._due.items():
            if now >= due:
                self._due[name] = now + getattr(self._timing, name)
                request: Callable[[], Report] = getattr(self, f"_ask_{name}")
                if name != "unpark" or self._machine.parked:
                    self._database.ask(request)

    def _ask_renew(self) -> Report:
        if self._owned_until - time.monotonic() < leases.SECONDS - self._timing.renew / 2:
            self._renew(leases.SECONDS)
        return lambda _: []

    def _renew(self, seconds: float) -> None:
        began = time.monotonic()
        leases.renew(self._connection, self._lease, seconds)
        self._owned_until = began + seconds

    def _ask_unpark(self) -> Report:
        wanted = [(key, run_seq) for key, run_seq, unparking in parking.keys(self._connection) if unparking]
        return lambda machine: [
            command for key, run_seq in wanted for command in machine.on_unpark(key, run_seq)
        ]

    def _ask_extend(self) -> Report:
        try:
            self._connection.execute("select postil.extend_log()")
        except (pg.UndefinedFunction, pg.LockNotAvailable, pg.InsufficientPrivilege) as error:
            log.warning("the log was not extended", why=str(error).splitlines()[0])
        return lambda _: []


def _note_kafka() -> Callable[[KafkaError], None]:
    """Say once what ails the connection, not at every attempt to mend it."""
    said: set[int] = set()

    def note(error: KafkaError) -> None:
        if error.code() not in said:
            said.add(error.code())
            log.warning("kafka", why=error.str())

    return note
