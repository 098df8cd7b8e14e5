"""What the consumers share of Kafka's client: a new consumer, its topic, and how far a group has read a topic."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from postil.errors import Unavailable
from postil.kafka import (
    ADVICE_BY_REFUSAL,
    UNREACHABLE,
    KafkaUnavailable,
    TopicLookup,
    TopicState,
    settings_refused,
    typed_error,
    unavailable,
)

_DESCRIBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """How far a consumer group has read a topic, in messages. Both counts are 0 if `topic` has an error.

    `messages` counts what the topic holds, and `lag` what the group has not committed yet.
    """

    topic: TopicState
    messages: int = 0
    lag: int = 0


def new_consumer(config: Mapping[str, Any]) -> Consumer:
    """Return a consumer. Raises `ConfigurationError` if the client refuses its settings."""
    try:
        return Consumer(dict(config))
    except KafkaException as error:
        raise settings_refused(error) from None


def find_topic(lookup: TopicLookup, consumer: Consumer, topic: str, timeout: float) -> TopicState:
    """Return the state of an existing topic. `timeout` is in seconds.

    Raises `Unavailable` if no broker responds or the topic does not exist, and `ConfigurationError` if a broker
    refuses the topic. A wrong password raises `Unavailable`, because a broker that stops looks the same.
    """
    doing = f"looking for topic {topic}"
    try:
        state = lookup.find(consumer, topic, timeout)
    except KafkaUnavailable as error:
        advice = ADVICE_BY_REFUSAL.get(error.code, UNREACHABLE)
        raise Unavailable(f"Kafka: {doing}: {error.reason}", advice=advice) from None
    if state.error is not None:
        raise typed_error(state.error, doing)
    return state


def topic_id(client: Mapping[str, str], topic: str) -> str:
    """Return the id that Kafka gave the topic when it was created; "" if the brokers do not return it."""
    admin: Any = AdminClient({**client, "log_level": 0})  # its stubs leave the futures' types open
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_DESCRIBE_SECONDS)
        return str(described[topic].result(_DESCRIBE_SECONDS).topic_id or "")
    except (KafkaException, TimeoutError):
        return ""


def group_position(client: Mapping[str, str], topic: str, group: str, *, timeout: float) -> GroupPosition:
    """Return how far `group` has read the topic, without joining the group. Each request waits `timeout` seconds.

    Raises `KafkaUnavailable` if the brokers do not respond, and `ConfigurationError` if the client refuses `client`.
    """
    lookup = TopicLookup(client)
    settings = {**client, "group.id": group, "log_level": 0, "error_cb": lookup.on_error}
    with closing(new_consumer(settings)) as consumer:
        state = lookup.find(consumer, topic, timeout)
        if state.error is not None:
            return GroupPosition(state)
        partitions = [TopicPartition(topic, number) for number in state.partitions]
        try:
            bounds = {p.partition: consumer.get_watermark_offsets(p, timeout=timeout) for p in partitions}
            committed = {p.partition: p.offset for p in consumer.committed(partitions, timeout=timeout)}
        except KafkaException as error:
            raise unavailable(error.args[0], client.get("bootstrap.servers")) from error
        # A group without a commit has a negative offset: everything from the low bound on is its lag.
        return GroupPosition(
            state,
            messages=sum(high - low for low, high in bounds.values()),
            lag=sum(high - max(low, committed[number]) for number, (low, high) in bounds.items()),
        )
