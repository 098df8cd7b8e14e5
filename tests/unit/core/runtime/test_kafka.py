"""Topic lookup: how long it asks, and which error it raises when no broker responds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from postil.errors import ConfigurationError, Unavailable
from postil.kafka import KafkaUnavailable, TopicLookup, Topics, TopicState, TopicUnusable, typed_error


class SilentClient:
    """A client whose lookups fail. `poll` reports the `errors` of its connections, as librdkafka does."""

    def __init__(self, on_error: Callable[[KafkaError], None], errors: list[int]) -> None:
        self.lookups = 0
        self._on_error = on_error
        self._errors = errors

    def list_topics(self, topic: str, timeout: float) -> Any:
        self.lookups += 1
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no response"))

    def poll(self, timeout: float) -> None:
        for code in self._errors:
            self._on_error(KafkaError(code))


def test_the_lookup_ends_when_all_brokers_are_down() -> None:
    """The first lookup that finds all brokers down is the last, and the error names the cause, not the effect."""
    lookup = TopicLookup({"bootstrap.servers": "kafka:9092"})
    errors = [KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN]
    client = SilentClient(lookup.on_error, errors)
    with pytest.raises(KafkaUnavailable, match="Kafka at kafka:9092 cannot be used now") as raised:
        lookup.find(client, "events")
    assert raised.value.code == KafkaError._AUTHENTICATION
    assert client.lookups == 1


def test_the_lookup_ends_after_its_timeout() -> None:
    """While no broker is known to be down, the lookup repeats until its timeout has passed."""
    lookup = TopicLookup({})
    client = SilentClient(lookup.on_error, [])
    with pytest.raises(KafkaUnavailable) as raised:
        lookup.find(client, "events", timeout=0.01)
    assert raised.value.reason == "no response"
    assert client.lookups > 1


def test_refused_client_settings_are_a_configuration_error() -> None:
    """Settings that the client itself refuses raise `ConfigurationError` at once."""
    with pytest.raises(ConfigurationError, match="Kafka's client refuses its settings"):
        Topics({"bootstrap.servers": "kafka:9092", "security.protocol": "unknown"})


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ConfigurationError, "Grant READ on the topic."),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Unavailable, "the relay makes the topic"),
        (KafkaError._TRANSPORT, Unavailable, "Check that the brokers run"),
    ],
)
def test_an_error_of_the_client_becomes_typed(code: int, kind: type, advice: str) -> None:
    """An error that a retry does not cure is a `ConfigurationError`; every error has its advice."""
    error = typed_error(KafkaError(code, "no"), "reading topic events")
    assert type(error) is kind
    assert error.what == "Kafka: reading topic events: no"
    assert advice in error.advice


@pytest.mark.parametrize("change", ["create", "delete"])
def test_a_change_without_brokers_is_unavailable(change: str) -> None:
    """A change that gets no response raises `KafkaUnavailable` with the servers, and not a TimeoutError."""
    topics = Topics({"bootstrap.servers": "127.0.0.1:1"}, timeout=0.3)
    with pytest.raises(KafkaUnavailable, match=r"Kafka at 127\.0\.0\.1:1 cannot be used now"):
        topics.create("events", 1) if change == "create" else topics.delete("events")


@pytest.mark.parametrize(
    ("after_create", "lookups"),
    [
        ([KafkaError.TOPIC_AUTHORIZATION_FAILED], 2),
        ([KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN], 4),
    ],
    ids=["a refusal", "a topic that appears slowly"],
)
def test_a_new_topic_is_awaited_only_while_it_may_appear(
    monkeypatch: pytest.MonkeyPatch, after_create: list[int], lookups: int
) -> None:
    """After its creation a topic may be missing or without a leader for a moment; any other error is final."""
    topics = Topics({"bootstrap.servers": "127.0.0.1:1"}, timeout=30)
    states = [KafkaError.UNKNOWN_TOPIC_OR_PART, *after_create]
    looked_up: list[str] = []

    def find(name: str) -> TopicState:
        looked_up.append(name)
        return TopicState(name, (), (), KafkaError(states[len(looked_up) - 1]))

    def create(name: str, partitions: int) -> bool:
        return partitions == 1

    monkeypatch.setattr(topics, "find", find)
    monkeypatch.setattr(topics, "create", create)
    with pytest.raises((KafkaUnavailable, TopicUnusable)):
        topics.ensure("events", 1)
    assert len(looked_up) == lookups
