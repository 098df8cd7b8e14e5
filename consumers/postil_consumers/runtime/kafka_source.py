"""A `Source` over Kafka: a consumer group with cooperative rebalancing and manual commits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from postil.errors import ConfigurationError
from postil.kafka import REQUEST_SECONDS, TopicLookup, typed_error
from postil_consumers.runtime.kafka_client import find_topic, new_consumer, topic_id
from postil_consumers.runtime.sink import Partition, Resume
from postil_consumers.runtime.source import Message

BATCH_MESSAGES = 10_000
"""Number of messages after which `poll` returns."""

BATCH_BYTES = 16 * 1024 * 1024
"""Bytes of message values after which `poll` returns."""

_CHUNK = 1_000  # messages taken from the client in one call
_COMMITTED_SECONDS = 10.0  # longest wait for the group's committed offset

logger = structlog.get_logger("postil.kafka")

_COORDINATOR_LOADING = {
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}  # fmt: skip


class KafkaSource:
    """One member of one consumer group, which reads one topic. See `Source`."""

    def __init__(
        self, client: Mapping[str, str], topic: str, group: str, *, instance: str | None = None
    ) -> None:
        """`client` has librdkafka's connection properties.

        `instance` names this member across restarts: a restarted member gets its partitions back at once.
        Without it, Kafka first waits until the session of the ended member times out.
        """
        self._topic = topic
        self._client = dict(client)
        self._partitions: dict[int, Partition] = {}
        self._topic_id = ""
        self._reachable: bool | None = None  # None until `start` has found the topic
        self._lookup = TopicLookup(client)
        self._consumer = new_consumer(
            {**_consumer_settings(client, group, instance), "error_cb": self._on_error}
        )

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Join the group. Raises `Unavailable` while the topic does not exist: the relay creates it."""
        find_topic(self._lookup, self._consumer, self._topic, REQUEST_SECONDS)
        self._reachable = True
        self._topic_id = topic_id(self._client, self._topic)
        self._await_coordinator()

        def on_assign(consumer: Consumer, places: list[TopicPartition]) -> None:
            consumer.incremental_assign(places)
            consumer.pause(places)
            partitions = [Partition(self._topic, place.partition, self._topic_id) for place in places]
            self._partitions |= {partition.number: partition for partition in partitions}
            assigned(partitions)

        def on_revoke(consumer: Consumer, places: list[TopicPartition]) -> None:
            partitions = [self._partitions.pop(place.partition, None) for place in places]
            revoked([partition for partition in partitions if partition is not None])
            consumer.incremental_unassign(places)

        self._consumer.subscribe([self._topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)

    def _await_coordinator(self) -> None:
        """Wait until a broker that was just started has loaded its groups.

        If a member joins before that, librdkafka waits two seconds before it retries. A request for a committed
        offset can be retried at once, so this method sends one until it succeeds.
        """
        while_loading = Retrying(
            retry=retry_if_exception(_is_coordinator_loading),
            wait=wait_fixed(0.02),
            stop=stop_after_delay(REQUEST_SECONDS),
            reraise=True,
        )
        with contextlib.suppress(KafkaException):  # joining the group reports every other error
            while_loading(self._consumer.committed, [TopicPartition(self._topic, 0)], timeout=REQUEST_SECONDS)

    def poll(self, timeout: float) -> Sequence[Message]:
        """Wait for one message, then take the others that the client has already fetched.

        `Consumer.consume(n, t)` with t > 0 would wait t seconds for n messages, and so delay every quiet topic.
        """
        try:
            first = self._consumer.poll(timeout)
            if first is None:
                return ()
            messages = self._accept([first])
            size = _size_of(messages)
            while messages and len(messages) < BATCH_MESSAGES and size < BATCH_BYTES:
                chunk = self._consumer.consume(_CHUNK, 0)
                if not chunk:
                    break
                accepted = self._accept(chunk)
                messages += accepted
                size += _size_of(accepted)
        except KafkaException as error:
            raise typed_error(error.args[0], "reading") from None
        return messages

    def _accept(self, kafka_messages: Sequence[KafkaMessage]) -> list[Message]:
        messages: list[Message] = []
        for kafka_message in kafka_messages:
            error = kafka_message.error()
            if error is not None:
                self._on_error(error)
            elif (message := to_message(kafka_message, self._partitions)) is not None:
                messages.append(message)
        if messages and self._reachable is False:
            self._reachable = True
            logger.info("kafka is back")
        return messages

    def _on_error(self, error: KafkaError) -> None:
        if self._reachable is None:
            self._lookup.on_error(error)
            return
        exception = typed_error(error, "reading")
        if isinstance(exception, ConfigurationError):
            raise exception
        if self._reachable:
            self._reachable = False
            logger.warning("kafka cannot be reached; waiting for it", error=error.str())

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Seek to the offset and read from there."""
        place = TopicPartition(partition.topic, partition.number)
        try:
            committed = None
            if at is Resume.COMMITTED:
                committed = self._consumer.committed([place], timeout=_COMMITTED_SECONDS)[0].offset
            place.offset = seek_offset(at, committed)
            self._consumer.seek(place)
            self._consumer.resume([place])
        except KafkaException as error:
            raise typed_error(error.args[0], f"going to offset {at} of {partition}") from None

    def pause(self, partition: Partition) -> None:
        """Stop reading the partition."""
        with contextlib.suppress(KafkaException):  # a partition of another member is paused here already
            self._consumer.pause([TopicPartition(partition.topic, partition.number)])

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Commit the offsets. The sink stores its own position, so a failed commit loses nothing."""
        places = [TopicPartition(p.topic, p.number, offset) for p, offset in offsets.items()]
        if not places:
            return
        try:
            if wait:
                self._consumer.commit(offsets=places, asynchronous=False)
            else:
                self._consumer.commit(offsets=places)
        except KafkaException as error:
            logger.debug("offsets were not committed", error=str(error.args[0]))

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """Return the lag by the watermark of the last fetch."""
        place = TopicPartition(partition.topic, partition.number)
        # The client returns None before the first fetch, although its stubs declare a tuple: hence TypeError.
        with contextlib.suppress(KafkaException, TypeError):
            _, high = self._consumer.get_watermark_offsets(place, cached=True)
            return max(0, high - next_offset) if high >= 0 else None
        return None

    def close(self) -> None:
        """Leave the group. A member with an `instance` keeps its partitions for the restart."""
        self._consumer.close()


def to_message(message: KafkaMessage, partitions: Mapping[int, Partition]) -> Message | None:
    """Return the message with its assigned partition; None if the partition was revoked after the fetch."""
    number, offset = message.partition(), message.offset()
    assert number is not None  # the client sets both unless the message has an error
    assert offset is not None
    partition = partitions.get(number)
    return None if partition is None else Message(partition, offset, message.key(), message.value())


def seek_offset(at: int | Resume, committed: int | None) -> int:
    """Return the offset to seek to. `committed` is the group's offset, negative or None if there is no commit."""
    if isinstance(at, int):
        return at
    if at is Resume.COMMITTED and committed is not None and committed >= 0:
        return committed
    return OFFSET_BEGINNING


def _size_of(messages: Sequence[Message]) -> int:
    return sum(len(message.value) for message in messages if message.value is not None)


def _is_coordinator_loading(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _COORDINATOR_LOADING


def _consumer_settings(client: Mapping[str, str], group: str, instance: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        **client,
        "group.id": group,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "fetch.wait.max.ms": 100,
        # Backpressure: messages stay in Kafka, and this process holds little more than a batch.
        "queued.max.messages.kbytes": 2 * BATCH_BYTES // 1024,
        "max.poll.interval.ms": 600_000,
        "session.timeout.ms": 30_000,
        # The client finds a restarted broker within one second. The default is ten seconds.
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        "log_level": 0,
    }
    if instance:
        settings["group.instance.id"] = instance
    return settings
