"""The producer: ordered and idempotent, one delivery report for every message, every refusal classified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from postil.kafka import DEFAULT_LARGEST_MESSAGE, TOPIC_REFUSALS, Topics
from postil.model.envelope import CONTENT_TYPE
from postil_relay.commands import Row, Verdict

HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", CONTENT_TYPE.encode())]

_PRODUCER: dict[str, Any] = {
    "client.id": "postil-relay",
    "log_level": 0,  # what matters comes by error_cb, and is logged with the rest
    "acks": "all",
    "enable.idempotence": True,
    # Never given up by the client: with idempotence a timeout could leave "1, 4, 5" in the topic. We watch instead.
    "message.timeout.ms": 0,
    "linger.ms": 0,
    "compression.type": "lz4",
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 1 << 20,
    # A message may be larger than the topic takes, if it compresses well enough: the broker is asked.
    "message.max.bytes": 64 << 20,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 30_000,
}

_REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD, KafkaError._INVALID_ARG,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as it is; `largest` is what it takes in one batch, in bytes after compression."""

    name: str
    partitions: int
    largest: int = DEFAULT_LARGEST_MESSAGE

    @property
    def large(self) -> int:
        """A value beyond this may be refused by its size, envelope of the batch included."""
        return max(1000, min(900_000, self.largest - 10_000))


def producer_settings(client: dict[str, str], topic: Topic) -> dict[str, Any]:
    """What the relay's producer is made with."""
    # Several messages together stay below what the topic takes: one that does not is in a batch of its own.
    return {**_PRODUCER, **client, "batch.size": topic.large}


def verdict(error: KafkaError) -> Verdict:
    """What a delivery's error means for what follows."""
    if error.code() in _REFUSED:
        return Verdict.REFUSED
    return Verdict.TOPIC if error.code() in TOPIC_REFUSALS else Verdict.RETRY


class Flight:
    """The messages of one batch on their way. On success only a count is kept: this runs for every message."""

    __slots__ = ("_by_value", "accepted", "awaited", "batch", "refused", "rows")

    def __init__(self, batch: int, rows: list[Row]) -> None:
        self.batch = batch
        self.rows = rows
        self.awaited = len(rows)
        self.accepted = 0
        self.refused: list[tuple[Row, KafkaError]] = []
        self._by_value: dict[bytes, Row] = {}

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Take one delivery report."""
        if error is None:
            self.accepted += 1
        else:
            self.refuse(self._row(message.value()), error)

    def refuse(self, row: Row, error: KafkaError) -> None:
        """Take note of a refused row."""
        self.refused.append((row, error))

    def _row(self, value: Any) -> Row:
        if not self._by_value:
            self._by_value = {row[3]: row for row in self.rows}
        return self._by_value[value]


class Outlet:
    """One producer and what it has not yet reported on. Not thread-safe: the loop's own thread sends and polls."""

    def __init__(self, client: dict[str, str], topic: Topic, on_event: Callable[[KafkaError], None]) -> None:
        self.fatal: KafkaError | None = None
        self._topic = topic.name
        self._flights: list[Flight] = []
        self._stopped: dict[bytes, KafkaError] = {}
        self._on_event = on_event
        self._producer = Producer(producer_settings(client, topic) | {"error_cb": self._error})

    def send(self, batch: int, rows: list[Row]) -> None:
        """Produce `rows` in order; their reports come with `poll`."""
        flight = Flight(batch, rows)
        self._flights.append(flight)
        produce, topic, report = self._producer.produce, self._topic, flight.report
        for row in rows:
            _, key, _, value, traceparent = row
            if self._stopped and key in self._stopped:  # nothing of a run overtakes what the client refused
                flight.refuse(row, self._stopped[key])
                continue
            headers = HEADERS if traceparent is None else [*HEADERS, ("traceparent", traceparent)]
            try:
                produce(topic, value, key, callback=report, headers=headers)
            except BufferError:
                self._produce_when_there_is_room(flight, row, headers)
            except KafkaException as error:
                self._refuse(flight, row, error.args[0])

    def poll(
        self,
        seconds: float,
        on_ack: Callable[[int, int], None],
        on_nack: Callable[[int, Row, KafkaError], None],
    ) -> None:
        """Serve the reports that are there, waiting up to `seconds` for the first."""
        self._producer.poll(seconds)
        ended = False
        for flight in self._flights:
            if flight.accepted:
                count, flight.accepted = flight.accepted, 0
                flight.awaited -= count
                on_ack(flight.batch, count)
            if flight.refused:
                refused, flight.refused = flight.refused, []
                flight.awaited -= len(refused)
                for row, error in refused:
                    on_nack(flight.batch, row, error)
            ended = ended or not flight.awaited
        self._stopped.clear()
        if ended:
            self._flights = [flight for flight in self._flights if flight.awaited]

    def drop(self) -> None:
        """Throw away what was not sent, and stop listening to what was."""
        self._flights.clear()
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer.poll(0)

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error
        self._on_event(error)

    def _refuse(self, flight: Flight, row: Row, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error
        self._stopped[row[1]] = KafkaError(KafkaError._FAIL, "an earlier event of its run was refused")
        flight.refuse(row, error)

    def _produce_when_there_is_room(self, flight: Flight, row: Row, headers: Any) -> None:
        """The client's queue is larger than the relay's own bounds, so this is rare: wait for the client."""
        _, key, _, value, _ = row
        while True:
            self._producer.poll(0.01)
            try:
                self._producer.produce(self._topic, value, key, callback=flight.report, headers=headers)
            except BufferError:
                continue
            except KafkaException as error:
                self._refuse(flight, row, error.args[0])
            return


def ensure_topic(client: dict[str, str], name: str, partitions: int, *, timeout: float = 10.0) -> Topic:
    """Return the topic; create it if it is missing, never change it.

    Raises `Unavailable` if no broker responds, `TopicUnusable` if a broker refuses,
    and `ConfigurationError` if the client refuses its settings.
    """
    topics = Topics(client, client_id="postil-relay-admin", timeout=timeout)
    state = topics.ensure(name, partitions)
    return Topic(name, len(state.partitions), topics.largest_message(name))
