"""The relay: waits for Postgres and Kafka, claims the lanes, and publishes while it owns them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from postil.model.limits import LANES
from postil.runtime.failpoints import reach
from postil_relay import lease as leases
from postil_relay import parking
from postil_relay.database_thread import connect, translated
from postil_relay.kafka_producer import Producer, Topic, ensure_topic
from postil_relay.leader import Leader, Timing
from postil_relay.lease import Lease
from postil_relay.machine.limits import Limits
from postil_relay.machine.state_machine import Machine
from postil_relay.policies import LONGEST_PAUSE, REPAIRABLE, kafka_unreachable, postgres_unusable

logger: Any = structlog.get_logger("postil.relay")

FAILPOINTS = (
    "relay.lanes_claimed", "relay.window_fetched", "relay.rows_produced", "relay.checkpoint_due",
    "relay.checkpoint_saved", "relay.drained",
)  # fmt: skip
"""Steps at which a test may kill the relay, in the order in which a relay reaches them first."""


class Relay:
    """Publishes the event log of the database at `url` to a Kafka topic, until it is stopped.

    `partitions` is used only if the topic is missing. `on_ready` is called once,
    when Postgres and Kafka are reached and this relay publishes or stands by.
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
        self._topic = Topic(topic, partitions)  # as it would be created; replaced by the real one in `run`
        self._limits = limits or Limits()
        self._timing = timing or Timing()
        self._on_ready: Callable[[], None] | None = on_ready
        self._owner = leases.owner_name()

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set, then drain and release the lease.

        Retries while Postgres or Kafka cannot be used. Raises `HotStandby`, `ForeignLog` and `TopicUnusable`.
        """
        try:
            topic = kafka_unreachable(stop)(
                ensure_topic, self._kafka, self._topic.name, self._topic.partitions
            )
            self._topic = topic
            self._limits = replace(self._limits, large=topic.large)
            while not stop.is_set():
                postgres_unusable(stop)(self._serve_term, stop)
        except REPAIRABLE:
            if not stop.is_set():
                raise

    def _serve_term(self, stop: threading.Event) -> None:
        """Stand by or publish on one connection, until `stop` is set or an error ends it.

        An error that comes soon is raised, so that the caller pauses before the next term.
        """
        connection = self._open()
        began = time.monotonic()
        try:
            self._serve(connection, stop)
        except REPAIRABLE as error:
            if time.monotonic() - began < LONGEST_PAUSE:
                raise
            logger.warning("interrupted", why=error.what)
        finally:
            connection.close()

    def _open(self) -> Connection[Any]:
        connection = connect(self._url)
        try:
            leases.check_server(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.Error):
                raise translated(error) from error
            raise
        return connection

    def _serve(self, connection: Connection[Any], stop: threading.Event) -> None:
        try:
            lease = self._stand_by(connection, stop)
            if lease is not None:
                parked = [key for key, _, _ in parking.keys(connection)]
                machine = Machine(lease.cursor, parked=parked, limits=self._limits)
                leader = Leader(
                    connection, lease, machine=machine, new_producer=self._new_producer, timing=self._timing
                )
                leader.lead(stop)
        except psycopg.Error as error:
            raise translated(error) from error

    def _stand_by(self, connection: Connection[Any], stop: threading.Event) -> Lease | None:
        logged = False
        while not stop.is_set():
            lease = leases.claim(connection, self._owner)
            if lease is not None:
                reach("relay.lanes_claimed")
                logger.info("publishing", lanes=LANES, epoch=lease.epoch, topic=self._topic.name)
                self._ready()
                return lease
            if not logged:
                logger.info("standing by", why="another relay owns the lanes")
                logged = True
                self._ready()
            stop.wait(self._timing.claim)
        return None

    def _ready(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _new_producer(self) -> Producer:
        return Producer(self._kafka, self._topic)
