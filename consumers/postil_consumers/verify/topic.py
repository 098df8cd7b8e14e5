"""The topic, read from its beginning, outside any consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition

from postil.errors import Unavailable
from postil.kafka import TopicLookup, typed_error
from postil.model.envelope import InvalidEnvelope, raw_event
from postil_consumers.audit.log.merkle import leaf_hash
from postil_consumers.runtime.kafka_client import find_topic, new_consumer
from postil_consumers.verify.ledger import DIGEST_SIZE

_TIMEOUT = 5.0
_SILENCE = 30.0
_CHUNK = 2_000


class Chunk(NamedTuple):
    """Messages of the topic.

    `events` are (run, run_seq, digest, partition, offset).
    `unknown` are the messages that are not events, as (partition, offset, reason).
    """

    events: list[tuple[str, int, bytes, int, int]]
    unknown: list[tuple[int, int, str]]


class TopicReader:
    """Reads every message once. A second call of `read` continues after the first.

    Raises `Unavailable` if Kafka cannot be reached, and `ConfigurationError` if it refuses this client.
    """

    def __init__(self, client: Mapping[str, str], topic: str) -> None:
        self.topic = topic
        lookup = TopicLookup(client)
        self._consumer = new_consumer(
            {
                **client,
                "group.id": "postil.verify",  # never joined, nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
                "error_cb": lookup.on_error,
            }
        )
        with ExitStack() as on_failure:
            on_failure.callback(self._consumer.close)
            self.partitions = find_topic(lookup, self._consumer, topic, _TIMEOUT).partitions
            try:
                marks = [self._marks(number) for number in self.partitions]
            except KafkaException as error:
                raise typed_error(error.args[0], f"reading topic {topic}") from None
            on_failure.pop_all()
        self.oldest = {number: low for number, (low, _) in zip(self.partitions, marks, strict=True)}
        self.next = dict(self.oldest)
        self.messages = sum(high - low for low, high in marks)
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in self.partitions])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def _marks(self, number: int) -> tuple[int, int]:
        return self._consumer.get_watermark_offsets(TopicPartition(self.topic, number), timeout=_TIMEOUT)

    def read(self) -> Iterator[Chunk]:
        """Yield what the topic holds up to now, in chunks."""
        ends = self._ends()
        received_at = time.monotonic()
        while ends:
            messages = self._consumer.consume(_CHUNK, 0.1)
            if messages:
                received_at = time.monotonic()
            elif time.monotonic() - received_at > _SILENCE:
                raise Unavailable(
                    f"Kafka sent nothing of {self.topic} for {_SILENCE:.0f} s, with messages left in {sorted(ends)}.",
                    advice="Check the brokers, then run it again.",
                )
            chunk = Chunk([], [])
            for message in messages:
                self._add(message, chunk, ends)
            yield chunk

    def _ends(self) -> dict[int, int]:
        """Return the offset after the last message of each partition that is not read to its end."""
        try:
            ends = {number: self._marks(number)[1] for number in self.partitions}
        except KafkaException as error:
            raise typed_error(error.args[0], f"reading topic {self.topic}") from None
        return {number: end for number, end in ends.items() if end > self.next[number]}

    def _add(self, message: Message, chunk: Chunk, ends: dict[int, int]) -> None:
        """Add a message to the chunk. Removes its partition from `ends` if it is the last one."""
        number, offset, problem = message.partition(), message.offset(), message.error()
        assert number is not None
        assert offset is not None
        if problem is not None:
            if problem.code() != KafkaError._PARTITION_EOF:
                raise typed_error(problem, f"reading topic {self.topic}")
            if offset >= ends.get(number, 0):
                ends.pop(number, None)
            return
        value, key = message.value(), message.key()
        assert not isinstance(value, str)
        assert not isinstance(key, str)
        self.next[number] = offset + 1
        if offset + 1 >= ends.get(number, 0):
            ends.pop(number, None)
        try:
            event = raw_event(value or b"", key or b"")
        except InvalidEnvelope as error:
            chunk.unknown.append((number, offset, error.what))
        else:
            digest = leaf_hash(event.value)[:DIGEST_SIZE]
            chunk.events.append((event.run, event.run_seq, digest, number, offset))
