"""The Kafka client: a consumer group with cooperative rebalancing and manual commits, as a `Source`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared so
    AdminClient,
    TopicMetadata,  # pyright: ignore[reportPrivateImportUsage] -- likewise
)
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from postil_consumers.errors import Misconfigured, Transient
from postil_consumers.runtime.sink import Partition, Resume
from postil_consumers.runtime.source import Message

BATCH_MESSAGES = 10_000
BATCH_BYTES = 16 * 1024 * 1024
_CHUNK = 1_000
_TIMEOUT = 10.0
_ANSWER_TIMEOUT = 2.0  # tried again for ever; short, so that a signal is heeded in between

log = structlog.get_logger("postil.kafka")

_REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Grant READ on the topic.",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Grant READ on the consumer group.",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Grant DESCRIBE on the cluster.",
    KafkaError.SASL_AUTHENTICATION_FAILED: "Correct POSTIL_KAFKA_USERNAME and POSTIL_KAFKA_PASSWORD.",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "Correct POSTIL_KAFKA_SASL_MECHANISM.",
    KafkaError._AUTHENTICATION: "Correct POSTIL_KAFKA_USERNAME and POSTIL_KAFKA_PASSWORD.",
    KafkaError._INVALID_ARG: "Correct the POSTIL_KAFKA_* settings.",
    KafkaError.FENCED_INSTANCE_ID: "Another consumer took this one's place; run one per audit directory.",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "A foreign consumer uses this group; give it another.",
    KafkaError.TOPIC_EXCEPTION: "Correct POSTIL_KAFKA_TOPIC.",
}
_LOADING = {
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}  # fmt: skip
_TOPIC_MISSING = "Check POSTIL_KAFKA_TOPIC; the relay makes the topic when it starts."
_UNREACHABLE = "Check that the brokers run and can be reached; a running consumer tries again by itself."


def translated(error: KafkaError, doing: str) -> Transient | Misconfigured:
    """The typed error for the client's."""
    what = f"Kafka: {doing}: {error.str()}"
    if advice := _REFUSALS.get(error.code()):
        return Misconfigured(what, advice=advice)
    if error.fatal():
        return Misconfigured(what, advice="Start the process again; report it if it comes back.")
    missing = error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    return Transient(what, advice=_TOPIC_MISSING if missing else _UNREACHABLE)


def _is_loading(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _LOADING


def new_consumer(config: Mapping[str, Any]) -> Consumer:
    """A consumer, or `Misconfigured` where the client itself refuses its settings."""
    try:
        return Consumer(dict(config))
    except KafkaException as error:
        raise Misconfigured(
            f"Kafka's client refuses its settings: {error.args[0].str()}.",
            advice="Correct the POSTIL_KAFKA_* settings.",
        ) from None


class Complaints:
    """What the client met while no broker answered; it says so to its `error_cb`, whenever it is polled."""

    def __init__(self) -> None:
        self._first: dict[int, KafkaError] = {}

    def __call__(self, error: KafkaError) -> None:
        """Keep the first of a kind."""
        self._first.setdefault(error.code(), error)

    def find_topic(self, consumer: Consumer, topic: str, timeout: float) -> TopicMetadata:
        """What the brokers answer about the topic.

        Raises `Misconfigured` where they refuse it, `Transient` where there is none yet or nobody answers:
        a wrong password too, for a broker that goes down while it is asked looks the same.
        """
        doing = f"looking for topic {topic}"
        deadline = time.monotonic() + timeout
        while True:
            try:
                found: TopicMetadata = consumer.list_topics(topic, timeout=_ANSWER_TIMEOUT).topics[topic]
            except KafkaException as failed:
                consumer.poll(0)
                all_down = self._first.pop(KafkaError._ALL_BROKERS_DOWN, None)
                if all_down is None and time.monotonic() < deadline:
                    continue
                # What brought them down says more than that they are. The next time it may be something else.
                error: KafkaError = next(iter(self._first.values()), failed.args[0])
                self._first.clear()
                advice = _REFUSALS.get(error.code(), _UNREACHABLE)
                raise Transient(f"Kafka: {doing}: {error.str()}", advice=advice) from None
            break
        if found.error is not None:
            raise translated(found.error, doing)
        return found


class KafkaSource:
    """One member of one consumer group, reading one topic. See `Source`."""

    def __init__(
        self, client: Mapping[str, str], topic: str, group: str, *, instance: str | None = None
    ) -> None:
        """`client` are librdkafka's properties to connect with.

        A member that is restarted under the same `instance` gets its partitions back at once,
        instead of after the session of its dead predecessor has timed out.
        """
        self._topic = topic
        self._group = group
        self._client = dict(client)
        self._partitions: dict[int, Partition] = {}
        self._topic_id = ""
        self._reachable: bool | None = None  # not reached yet
        self._complaints = Complaints()
        config: dict[str, Any] = {
            **client,
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 100,
            # Backpressure: Kafka is the buffer, this process holds little more than a batch.
            "queued.max.messages.kbytes": 2 * BATCH_BYTES // 1024,
            "max.poll.interval.ms": 600_000,
            "session.timeout.ms": 30_000,
            # A broker that comes back is found within a second, not after ten.
            "reconnect.backoff.max.ms": 1_000,
            "topic.metadata.refresh.interval.ms": 30_000,
            "log_level": 0,
            "error_cb": self._on_error,
        }
        if instance:
            config["group.instance.id"] = instance
        self._consumer = new_consumer(config)

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Join the group once the topic is there; before that raises `Transient`, for the relay makes it."""
        self._complaints.find_topic(self._consumer, self._topic, _ANSWER_TIMEOUT)
        self._reachable = True
        self._topic_id = topic_id(self._client, self._topic)
        self._await_coordinator()

        def on_assign(consumer: Consumer, found: list[TopicPartition]) -> None:
            consumer.incremental_assign(found)
            consumer.pause(found)
            for one in found:
                self._partitions[one.partition] = Partition(self._topic, one.partition, self._topic_id)
            assigned([self._partitions[one.partition] for one in found])

        def on_revoke(consumer: Consumer, found: list[TopicPartition]) -> None:
            revoked(
                [self._partitions.pop(one.partition) for one in found if one.partition in self._partitions]
            )
            consumer.incremental_unassign(found)

        self._consumer.subscribe([self._topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)

    def _await_coordinator(self) -> None:
        """Give a broker that was just started the time to load its groups.

        Asked to join meanwhile, librdkafka waits two seconds before it asks again, so it is asked for an offset first.
        """
        loading = Retrying(
            retry=retry_if_exception(_is_loading),
            wait=wait_fixed(0.02),
            stop=stop_after_delay(_ANSWER_TIMEOUT),
            reraise=True,
        )
        with contextlib.suppress(KafkaException):  # whatever it is, joining the group will say it
            loading(self._consumer.committed, [TopicPartition(self._topic, 0)], timeout=_ANSWER_TIMEOUT)

    def poll(self, timeout: float) -> Sequence[Message]:
        """Wait for one message, then take what is there.

        `Consumer.consume(n, t)` with t > 0 waits all of t unless n messages come: it would delay every quiet topic.
        """
        try:
            first = self._consumer.poll(timeout)
            if first is None:
                return ()
            found, taken = self._taken([first])
            while found and len(found) < BATCH_MESSAGES and taken < BATCH_BYTES:
                chunk = self._consumer.consume(_CHUNK, 0)
                if not chunk:
                    break
                more, size = self._taken(chunk)
                found += more
                taken += size
        except KafkaException as error:
            raise translated(error.args[0], "reading") from None
        return found

    def _taken(self, messages: Sequence[KafkaMessage]) -> tuple[list[Message], int]:
        found: list[Message] = []
        size = 0
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_error(error)
                continue
            number, offset = message.partition(), message.offset()
            assert number is not None  # both are set where there is no error
            assert offset is not None
            partition = self._partitions.get(number)
            if partition is None:
                continue  # revoked meanwhile
            value = message.value()
            size += len(value) if value is not None else 0
            found.append(Message(partition, offset, message.key(), value))
        if found and self._reachable is False:
            self._reachable = True
            log.info("kafka is back")
        return found, size

    def _on_error(self, error: KafkaError) -> None:
        if self._reachable is None:
            self._complaints(error)
            return
        found = translated(error, "reading")
        if isinstance(found, Misconfigured):
            raise found
        if self._reachable:
            self._reachable = False
            log.warning("kafka cannot be reached; waiting for it", error=error.str())

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Seek and go on."""
        place = TopicPartition(partition.topic, partition.number)
        try:
            if at is Resume.COMMITTED:
                committed = self._consumer.committed([place], timeout=_TIMEOUT)[0].offset
                place.offset = committed if committed >= 0 else OFFSET_BEGINNING
            else:
                place.offset = OFFSET_BEGINNING if isinstance(at, Resume) else at
            self._consumer.seek(place)
            self._consumer.resume([place])
        except KafkaException as error:
            raise translated(error.args[0], f"going to offset {at} of {partition}") from None

    def pause(self, partition: Partition) -> None:
        """Silence it."""
        with contextlib.suppress(KafkaException):  # one that is no longer ours is silent already
            self._consumer.pause([TopicPartition(partition.topic, partition.number)])

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Commit; the sink's own record of where it is does not depend on it."""
        places = [TopicPartition(p.topic, p.number, offset) for p, offset in offsets.items()]
        if not places:
            return
        try:
            if wait:
                self._consumer.commit(offsets=places, asynchronous=False)
            else:
                self._consumer.commit(offsets=places)
        except KafkaException as error:
            log.debug("offsets were not committed", error=str(error.args[0]))

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """From the watermark that came with the last fetch."""
        with contextlib.suppress(
            KafkaException, TypeError
        ):  # None before the first fetch, whatever the stubs say
            marks = self._consumer.get_watermark_offsets(
                TopicPartition(partition.topic, partition.number), cached=True
            )
            return max(0, marks[1] - next_offset) if marks[1] >= 0 else None
        return None

    def close(self) -> None:
        """Leave the group, or, with an instance, keep its place for the restart."""
        self._consumer.close()


def topic_id(client: Mapping[str, str], topic: str) -> str:
    """What tells this topic from a later one of the same name; "" where the brokers do not say."""
    admin: Any = AdminClient({**client, "log_level": 0})  # typed as far as its stubs do not go
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT)
        return str(described[topic].result(_TIMEOUT).topic_id or "")
    except (KafkaException, TimeoutError):
        return ""
