"""The producer: sends in order, idempotently, and reports every message as accepted or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as KafkaClient

from postil.kafka import DEFAULT_LARGEST_MESSAGE, TOPIC_REFUSALS, Topics
from postil.model.envelope import CONTENT_TYPE
from postil_relay.machine.rows import KEY, VALUE, Row, Verdict

logger: Any = structlog.get_logger("postil.relay")

HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", CONTENT_TYPE.encode())]

_PRODUCER: dict[str, Any] = {
    "client.id": "postil-relay",
    "log_level": 0,  # errors come through error_cb, and go to the relay's own log
    "acks": "all",
    "enable.idempotence": True,
    # The client never drops a message: after a timeout the topic could hold "1, 4, 5". The state machine watches instead.
    "message.timeout.ms": 0,
    "linger.ms": 0,
    "compression.type": "lz4",
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 1 << 20,
    # A message may be larger than the topic's limit if it compresses well. The broker decides.
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
    """The topic. `largest` is the largest batch that it accepts, in bytes after compression."""

    name: str
    partitions: int
    largest: int = DEFAULT_LARGEST_MESSAGE

    @property
    def large(self) -> int:
        """Bytes of a value beyond which its batch, with headers, may be refused because of its size."""
        return max(1000, min(900_000, self.largest - 10_000))


def producer_settings(client: dict[str, str], topic: Topic) -> dict[str, Any]:
    """Return the settings of the relay's producer."""
    # A batch of several messages stays below the topic's limit. A message beyond it gets a separate batch.
    return {**_PRODUCER, **client, "batch.size": topic.large}


def verdict(error: KafkaError) -> Verdict:
    """Return what the relay must do after this error."""
    if error.code() in _REFUSED:
        return Verdict.REFUSED
    return Verdict.TOPIC if error.code() in TOPIC_REFUSALS else Verdict.RETRY


class InFlight:
    """The messages in flight of one batch. An accepted message only adds to a count, because this runs for every message."""

    __slots__ = ("_by_value", "accepted", "awaited", "batch", "refused", "rows")

    def __init__(self, batch: int, rows: list[Row]) -> None:
        self.batch = batch
        self.rows = rows
        self.awaited = len(rows)
        self.accepted = 0
        self.refused: list[tuple[Row, KafkaError]] = []
        self._by_value: dict[bytes, Row] = {}

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Take the client's delivery report of one message."""
        if error is None:
            self.accepted += 1
        else:
            self.refuse(self._row(message.value()), error)

    def refuse(self, row: Row, error: KafkaError) -> None:
        """Record a refused row."""
        self.refused.append((row, error))

    def _row(self, value: Any) -> Row:
        if not self._by_value:
            self._by_value = {row[VALUE]: row for row in self.rows}
        return self._by_value[value]


class Producer:
    """One Kafka client and its messages in flight. It is not thread-safe: one thread sends and polls."""

    def __init__(self, client: dict[str, str], topic: Topic) -> None:
        self.fatal: KafkaError | None = None
        self._topic = topic.name
        self._batches: list[InFlight] = []
        self._stopped: dict[bytes, KafkaError] = {}
        self._logged_codes: set[int] = set()
        self._producer = KafkaClient(producer_settings(client, topic) | {"error_cb": self._error})

    def send(self, batch: int, rows: list[Row]) -> None:
        """Send `rows` in order. `poll` reports on them."""
        messages = InFlight(batch, rows)
        self._batches.append(messages)
        produce, topic, report = self._producer.produce, self._topic, messages.report
        for row in rows:
            _, key, _, value, traceparent = row
            if self._stopped and key in self._stopped:  # no event may overtake one that the client refused
                messages.refuse(row, self._stopped[key])
                continue
            headers = HEADERS if traceparent is None else [*HEADERS, ("traceparent", traceparent)]
            try:
                produce(topic, value, key, callback=report, headers=headers)
            except BufferError:
                self._produce_when_there_is_room(messages, row, headers)
            except KafkaException as error:
                self._refuse(messages, row, error.args[0])

    def poll(
        self,
        seconds: float,
        on_accepted: Callable[[int, int], None],
        on_refused: Callable[[int, Row, Verdict, str], None],
    ) -> None:
        """Call `on_accepted` (batch, count) and `on_refused` (batch, row, verdict, reason) for the reports that wait.

        Waits up to `seconds` for the first one.
        """
        self._producer.poll(seconds)
        ended = False
        for messages in self._batches:
            if messages.accepted:
                count, messages.accepted = messages.accepted, 0
                messages.awaited -= count
                on_accepted(messages.batch, count)
            if messages.refused:
                refused, messages.refused = messages.refused, []
                messages.awaited -= len(refused)
                for row, error in refused:
                    on_refused(messages.batch, row, verdict(error), error.str())
            ended = ended or not messages.awaited
        self._stopped.clear()
        if ended:
            self._batches = [messages for messages in self._batches if messages.awaited]

    def drop(self) -> None:
        """Discard the messages that were not sent, and ignore the reports on those that were."""
        self._batches.clear()
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer.poll(0)

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error
        if error.code() not in self._logged_codes:  # once, and not at each attempt to reconnect
            self._logged_codes.add(error.code())
            logger.warning("kafka", why=error.str())

    def _refuse(self, messages: InFlight, row: Row, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error
        self._stopped[row[KEY]] = KafkaError(KafkaError._FAIL, "an earlier event of its run was refused")
        messages.refuse(row, error)

    def _produce_when_there_is_room(self, messages: InFlight, row: Row, headers: Any) -> None:
        """Wait until the client's queue has room. This is rare, because the queue is larger than the relay's own bounds."""
        _, key, _, value, _ = row
        while True:
            self._producer.poll(0.01)
            try:
                self._producer.produce(self._topic, value, key, callback=messages.report, headers=headers)
            except BufferError:
                continue
            except KafkaException as error:
                self._refuse(messages, row, error.args[0])
            return


def ensure_topic(client: dict[str, str], name: str, partitions: int, *, timeout: float = 10.0) -> Topic:
    """Return the topic; create it if it is missing, never change it.

    Raises `Unavailable` if no broker responds, `TopicUnusable` if a broker refuses,
    and `ConfigurationError` if the client refuses its settings.
    """
    topics = Topics(client, client_id="postil-relay-admin", timeout=timeout)
    state = topics.ensure(name, partitions)
    return Topic(name, len(state.partitions), topics.largest_message(name))
