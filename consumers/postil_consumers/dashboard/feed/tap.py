"""The thread that reads Kafka for the feed: every partition from its end, with no group and no commits."""

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

from postil_consumers.dashboard.feed.frame import Frame, Repeats, frame
from postil_consumers.dashboard.feed.hub import Hub

log = structlog.get_logger("postil.dashboard")

MOST_AT_ONCE = 500
GROWN_EVERY = 30.0
CHECK_EVERY = 1.0

Connection = Literal["live", "connecting", "down"]


@dataclass(frozen=True, slots=True)
class TapState:
    """The state of the feed's connection to Kafka, with the reason."""

    state: Connection
    reason: str | None
    partitions: int
    received: int


class Tap(threading.Thread):
    """Reads the topic and hands what belongs to `tenant` to the hub, on the hub's own loop.

    A lost broker costs nothing: the client reconnects and goes on where it was.
    Where the position itself is lost (the topic was made anew) the hub restarts, and every page looks again.
    """

    def __init__(
        self, client: dict[str, str], topic: str, tenant: str, hub: Hub, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(name="postil-feed", daemon=True)
        self._client = client
        self._topic = topic
        self._tenant = tenant
        self._hub = hub
        self._loop = loop
        self._ending = threading.Event()
        self._repeats = Repeats()
        self._partitions: dict[int, TopicPartition] = {}
        self._received = 0
        self._state: Connection = "connecting"
        self._reason: str | None = None
        self._attached_before = False
        self.live = threading.Event()

    @property
    def status(self) -> TapState:
        """How the line is now; may be asked from any thread."""
        return TapState(self._state, self._reason, len(self._partitions), self._received)

    def stop(self) -> None:
        """Ask the thread to end; it does within a second."""
        self._ending.set()

    def run(self) -> None:
        """Read until stopped; whatever goes wrong is said once and tried again."""
        while not self._ending.is_set():
            try:
                with closing(self._consumer()) as consumer:
                    if self._attach(consumer):
                        self._pump(consumer)
            except KafkaException as error:
                self._say("down", _reason(error.args[0]))
                self._ending.wait(CHECK_EVERY)

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._client,
                "group.id": "postil-dashboard-feed",  # the client wants one; never joined, never committed
                "client.id": "postil-dashboard",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",  # a lost position must be noticed, not skipped over
                "fetch.wait.max.ms": 100,
                "reconnect.backoff.max.ms": 1_000,
                "error_cb": self._on_error,
                "log_level": 0,
            }
        )

    def _attach(self, consumer: Consumer) -> bool:
        """Take every partition at its end; False if stopped meanwhile."""
        while not self._ending.is_set():
            numbers = self._numbers(consumer)
            if numbers:
                self._partitions = {number: self._at_end(consumer, number) for number in numbers}
                consumer.assign(list(self._partitions.values()))
                if self._attached_before:
                    self._call(self._hub.restart)
                self._attached_before = True
                self._say("live", None)
                return True
            if numbers is not None:
                self._say("connecting", f"topic {self._topic} does not exist yet: the relay creates it")
            self._ending.wait(0.5)
        return False

    def _pump(self, consumer: Consumer) -> None:
        grown_at = checked_at = time.monotonic()
        while not self._ending.is_set():
            message = consumer.poll(0.2)
            frames: list[Frame] = []
            while message is not None:
                self._take(message, frames)
                message = consumer.poll(0) if len(frames) < MOST_AT_ONCE else None
            if frames:
                self._received += len(frames)
                self._call(self._hub.publish, [kept.payload for kept in frames])
                self._say("live", None)
            now = time.monotonic()
            if self._state != "live" and now - checked_at > CHECK_EVERY:
                checked_at = now
                if self._numbers(consumer):
                    self._say("live", None)
            if now - grown_at > GROWN_EVERY:
                grown_at = now
                self._take_new_partitions(consumer)

    def _take(self, message: Message, into: list[Frame]) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF or error.retriable():
                return
            raise KafkaException(error)  # the position is lost: attach anew
        value = message.value()
        kept = frame(value) if isinstance(value, bytes) else None
        if kept is not None and kept.tenant == self._tenant and not self._repeats.is_one(kept):
            into.append(kept)

    def _take_new_partitions(self, consumer: Consumer) -> None:
        new = [n for n in self._numbers(consumer) or () if n not in self._partitions]
        if new:
            # Whole, from their beginning: nobody has read them yet.
            self._partitions |= {n: TopicPartition(self._topic, n, 0) for n in new}
            consumer.incremental_assign([self._partitions[n] for n in new])

    def _numbers(self, consumer: Consumer) -> list[int] | None:
        """The topic's partitions; empty while it does not exist, None where no broker answers, which is said."""
        try:
            found = consumer.list_topics(self._topic, timeout=2).topics.get(self._topic)
        except KafkaException as error:
            self._say("down", _reason(error.args[0]))
            return None
        return [] if found is None or found.error is not None else sorted(found.partitions)

    def _at_end(self, consumer: Consumer, number: int) -> TopicPartition:
        _, high = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=5)
        return TopicPartition(self._topic, number, high)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._say("down", "no Kafka broker can be reached")

    def _say(self, state: Connection, reason: str | None) -> None:
        if (state, reason) != (self._state, self._reason):
            log.info("feed", state=state, reason=reason)
        self._state, self._reason = state, reason
        (self.live.set if state == "live" else self.live.clear)()

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop ended before this thread did
            self._ending.set()


def _reason(error: object) -> str:
    return error.str() if isinstance(error, KafkaError) else str(error)
