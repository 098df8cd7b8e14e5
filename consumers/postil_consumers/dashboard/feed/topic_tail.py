"""The thread that reads Kafka for the feed: every partition from its end, without a group and without commits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from postil_consumers.dashboard.feed.events import Deduplicator, FeedEvent, to_feed_event
from postil_consumers.dashboard.feed.hub import Hub

logger = structlog.get_logger("postil.dashboard")

MAX_BATCH = 500
"""Events handed to the hub at once."""
PARTITIONS_INTERVAL = 30.0
"""Seconds between two looks for new partitions."""
RETRY_INTERVAL = 1.0
"""Seconds between two attempts to reach Kafka while it is unavailable."""

Connection = Literal["live", "connecting", "down"]


@dataclass(frozen=True, slots=True)
class TailState:
    """The state of the feed's connection to Kafka, with the reason."""

    state: Connection
    reason: str | None
    partitions: int
    received: int


class TopicTail(threading.Thread):
    """Reads the topic and passes the events of `tenant` to the hub, on the hub's event loop.

    If a broker is lost, the client reconnects and continues at its position.
    If the position is lost (the topic was created again), the hub restarts, and every page fetches the present state.
    """

    def __init__(
        self, client: dict[str, str], topic: str, tenant: str, hub: Hub, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(name="postil-feed", daemon=True)
        self._client = client
        self._topic = topic
        self._runs = f"{tenant}/"
        self._hub = hub
        self._loop = loop
        self._stopping = threading.Event()
        self._deduplicator = Deduplicator()
        self._partitions: dict[int, TopicPartition] = {}
        self._received = 0
        self._state: Connection = "connecting"
        self._reason: str | None = None
        self._attached_before = False
        self.live = threading.Event()

    @property
    def status(self) -> TailState:
        """Return the state of the connection; may be called from any thread."""
        return TailState(self._state, self._reason, len(self._partitions), self._received)

    def stop(self) -> None:
        """Ask the thread to end; it ends within a second."""
        self._stopping.set()

    def run(self) -> None:
        """Read until stopped. Errors are logged once and retried."""
        while not self._stopping.is_set():
            try:
                with closing(self._consumer()) as consumer:
                    if self._attach(consumer):
                        self._pump(consumer)
            except KafkaException as error:
                self._set_state("down", _reason(error.args[0]))
                self._stopping.wait(RETRY_INTERVAL)
            except Exception as error:  # a dead thread would leave the feed "live" without events
                logger.exception("feed failed")
                self._set_state("down", f"{type(error).__name__}: {error}")
                self._stopping.wait(RETRY_INTERVAL)

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._client,
                "group.id": "postil-dashboard-feed",  # the client requires a name; the group is never joined
                "client.id": "postil-dashboard",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",  # a lost position must raise an error, not be skipped
                "fetch.wait.max.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                "error_cb": self._on_error,
                "log_level": 0,
            }
        )

    def _attach(self, consumer: Consumer) -> bool:
        """Wait until the topic exists, and assign every partition at its end. Returns False if stopped before."""
        while not self._stopping.is_set():
            numbers = self._numbers(consumer)
            if numbers:
                self._partitions = {number: self._at_end(consumer, number) for number in numbers}
                consumer.assign(list(self._partitions.values()))
                if self._attached_before:
                    self._call(self._hub.restart)
                self._attached_before = True
                self._set_state("live", None)
                return True
            if numbers is not None:
                self._set_state("connecting", f"topic {self._topic} does not exist yet: the relay creates it")
            self._stopping.wait(0.5)
        return False

    def _pump(self, consumer: Consumer) -> None:
        partitions_at = checked_at = time.monotonic()
        while not self._stopping.is_set():
            message = consumer.poll(0.2)
            events: list[FeedEvent] = []
            while message is not None:
                self._take(message, events)
                message = consumer.poll(0) if len(events) < MAX_BATCH else None
            if events:
                self._received += len(events)
                self._call(self._hub.publish, [event.payload for event in events])
                self._set_state("live", None)
            now = time.monotonic()
            if self._state != "live" and now - checked_at > RETRY_INTERVAL:
                checked_at = now
                if self._numbers(consumer):
                    self._set_state("live", None)
            if now - partitions_at > PARTITIONS_INTERVAL:
                partitions_at = now
                self._take_new_partitions(consumer)

    def _take(self, message: Message, events: list[FeedEvent]) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF or error.retriable():
                return
            raise KafkaException(error)  # the position is lost: attach again
        value = message.value()
        event = to_feed_event(value) if isinstance(value, bytes) else None
        if event is not None and event.run.startswith(self._runs) and not self._deduplicator.seen(event):
            events.append(event)

    def _take_new_partitions(self, consumer: Consumer) -> None:
        new = [n for n in self._numbers(consumer) or () if n not in self._partitions]
        if new:
            # From their beginning: no reader has had their events yet.
            self._partitions |= {n: TopicPartition(self._topic, n, 0) for n in new}
            consumer.incremental_assign([self._partitions[n] for n in new])

    def _numbers(self, consumer: Consumer) -> list[int] | None:
        """Return the topic's partitions: none if it does not exist, None if no broker can be reached."""
        try:
            # Not `TopicLookup`: it polls the client, and a poll of this consumer would take a message.
            topic = consumer.list_topics(self._topic, timeout=2).topics.get(self._topic)
        except KafkaException as error:
            self._set_state("down", _reason(error.args[0]))
            return None
        return [] if topic is None or topic.error is not None else sorted(topic.partitions)

    def _at_end(self, consumer: Consumer, number: int) -> TopicPartition:
        _, high = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=5)
        return TopicPartition(self._topic, number, high)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._set_state("down", "no Kafka broker can be reached")

    def _set_state(self, state: Connection, reason: str | None) -> None:
        if (state, reason) != (self._state, self._reason):
            logger.info("feed", state=state, reason=reason)
        self._state, self._reason = state, reason
        if state == "live":
            self.live.set()
        else:
            self.live.clear()

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop ended before this thread did
            self._stopping.set()


def _reason(error: object) -> str:
    return error.str() if isinstance(error, KafkaError) else str(error)
