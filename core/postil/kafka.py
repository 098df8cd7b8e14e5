"""Kafka for the relay, the consumers and the stack: topic lookup, topic creation, and errors with advice.

This module needs the extra `relay`, `consumers` or `embedded`, which install the client confluent-kafka.
The write side of Postil must not import it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared so
    AdminClient,
    ClusterMetadata,  # pyright: ignore[reportPrivateImportUsage] (as above)
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage] (as above)
    ResourceType,  # pyright: ignore[reportPrivateImportUsage] (as above)
)
from confluent_kafka.cimpl import NewTopic

from postil.errors import ConfigurationError, PostilError, Unavailable

REQUEST_SECONDS = 2.0
"""Longest wait for one response of a broker. It is short so that a process heeds a signal between two requests."""

PAUSE_SECONDS = 0.05
"""Pause before a lookup is repeated, in seconds."""

DEFAULT_LARGEST_MESSAGE = 1_048_588
"""Kafka's default of the topic setting ``max.message.bytes``."""

ADVICE_BY_REFUSAL = {
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
"""What an operator must change, for each error that a retry does not cure."""

TOPIC_REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_EXCEPTION,
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.POLICY_VIOLATION,
    KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError._AUTHENTICATION,
}  # fmt: skip
"""Errors that concern the whole topic: no message is accepted until an operator repairs the topic or grants a right."""

TOPIC_MISSING = "Check POSTIL_KAFKA_TOPIC; the relay makes the topic when it starts."
UNREACHABLE = "Check that the brokers run and can be reached; a running consumer tries again by itself."


class KafkaUnavailable(Unavailable):
    """No broker responds. `code` and `reason` are those of the error that explains it best."""

    def __init__(self, what: str, *, advice: str, error: KafkaError) -> None:
        super().__init__(what, advice=advice)
        self.code: int = error.code()
        self.reason: str = error.str()


class TopicUnusable(PostilError):
    """Kafka refuses this client the topic, or refuses to create it."""


class MetadataClient(Protocol):
    """An admin client, a producer or a consumer: each can ask for a topic and serves its callbacks in `poll`."""

    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata:
        """Ask a broker for the topic."""
        ...

    def poll(self, timeout: float) -> object:
        """Call the callbacks that wait."""
        ...


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as a broker describes it. `error` explains why there are no partitions; None if there are some."""

    name: str
    partitions: tuple[int, ...]
    brokers: tuple[str, ...]
    error: KafkaError | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the broker does not have this topic."""
        return self.error is not None and self.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART

    @property
    def is_appearing(self) -> bool:
        """Whether a topic that was just created may still appear: not every broker has it, or it has no leader yet."""
        return self.is_missing or (
            self.error is not None and self.error.code() == KafkaError.LEADER_NOT_AVAILABLE
        )


class TopicLookup:
    """Asks brokers for a topic, and explains why no broker responds.

    The client reports the reason to its `error_cb` only: pass `on_error` there.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings` are librdkafka's properties; error messages show its ``bootstrap.servers``."""
        self._servers = settings.get("bootstrap.servers")
        self._errors: dict[int, KafkaError] = {}

    def on_error(self, error: KafkaError) -> None:
        """Keep the first error of each code."""
        self._errors.setdefault(error.code(), error)

    def find(self, client: MetadataClient, topic: str, timeout: float = 10.0) -> TopicState:
        """Return the topic's state. Retries until a broker responds, all brokers are down, or `timeout` seconds passed.

        Raises `KafkaUnavailable` if no broker responds. A wrong password also ends there,
        because a broker that stops during the handshake looks the same.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                cluster = client.list_topics(topic, timeout=min(timeout, REQUEST_SECONDS))
            except KafkaException as failure:
                client.poll(0)  # calls on_error
                all_down = self._errors.pop(KafkaError._ALL_BROKERS_DOWN, None)
                if all_down is None and time.monotonic() <= deadline:
                    time.sleep(PAUSE_SECONDS)  # a lookup that fails at once must not load the broker
                    continue
                # The cause explains more than "all brokers are down". The next lookup may meet another cause.
                error: KafkaError = next(iter(self._errors.values()), failure.args[0])
                self._errors.clear()
                raise unavailable(error, self._servers) from failure
            return _topic_state(cluster, topic)


def _topic_state(cluster: ClusterMetadata, name: str) -> TopicState:
    brokers = tuple(f"{broker.host}:{broker.port}" for broker in cluster.brokers.values())
    metadata = cluster.topics[name]
    partitions = tuple(sorted(metadata.partitions)) if metadata.error is None else ()
    return TopicState(name, partitions, brokers, metadata.error)


class Topics:
    """Finds, creates and deletes topics through an admin client.

    Raises `ConfigurationError` if the client refuses `settings`.
    """

    def __init__(
        self, settings: Mapping[str, Any], *, client_id: str = "postil-admin", timeout: float = 10.0
    ) -> None:
        """`timeout` is the longest wait for a lookup or a change, in seconds."""
        self._servers = settings.get("bootstrap.servers")
        self._lookup = TopicLookup(settings)
        self._timeout = timeout
        admin_settings: dict[str, Any] = {
            **settings,
            "client.id": client_id,
            "socket.timeout.ms": int(timeout * 1000),
            "log_level": 0,
            "error_cb": self._lookup.on_error,
        }
        try:
            self._admin: Any = AdminClient(admin_settings)  # its stubs leave the futures' types open
        except KafkaException as error:
            raise settings_refused(error) from error

    def find(self, name: str) -> TopicState:
        """Return the topic's state. Raises `KafkaUnavailable` if no broker responds."""
        return self._lookup.find(self._admin, name, self._timeout)

    def ensure(self, name: str, partitions: int) -> TopicState:
        """Return the topic's state; create the topic if it is missing. An existing topic is never changed.

        Raises `KafkaUnavailable` if no broker responds, and `TopicUnusable` if a broker refuses.
        """
        deadline = time.monotonic() + self._timeout
        state = self.find(name)
        if state.is_missing:
            self.create(name, partitions)
            state = self.find(name)
            while state.is_appearing and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
                state = self.find(name)
        if state.error is not None:
            raise self._error(state.error, name)
        return state

    def create(self, name: str, partitions: int, *, config: Mapping[str, str] | None = None) -> bool:
        """Create a topic with the cluster's default replication. Returns False if it exists already.

        `config` has topic settings, such as ``message.timestamp.type``. Raises as `ensure` does.
        """
        topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=dict(config or {}))
        error = self._outcome(self._admin.create_topics([topic], operation_timeout=self._timeout)[name])
        if error is not None and error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        if error is not None:
            raise self._error(error, name)
        return True

    def delete(self, name: str) -> None:
        """Delete a topic. Raises as `ensure` does."""
        error = self._outcome(self._admin.delete_topics([name])[name])
        if error is not None:
            raise self._error(error, name)

    def _outcome(self, change: Future[None]) -> KafkaError | None:
        """Wait for a change. Returns its error, or None if it was made."""
        try:
            change.result(self._timeout)
        except KafkaException as error:
            code: KafkaError = error.args[0]
            return code
        except TimeoutError:  # without brokers, the client's own limit may end after ours
            return KafkaError(KafkaError._TIMED_OUT)
        return None

    def largest_message(self, name: str, timeout: float = REQUEST_SECONDS) -> int:
        """Return the topic's ``max.message.bytes``, or Kafka's default if the broker does not return it."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        try:
            futures: dict[ConfigResource, Future[dict[str, Any]]] = self._admin.describe_configs([resource])
            return int(futures[resource].result(timeout)["max.message.bytes"].value)
        except (KafkaException, TimeoutError):
            # Reading it needs a right that not every client has, and the cluster in memory does not support it.
            return DEFAULT_LARGEST_MESSAGE

    def _error(self, error: KafkaError, name: str) -> KafkaUnavailable | TopicUnusable:
        if error.code() in TOPIC_REFUSALS and error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            return TopicUnusable(
                f"Kafka refuses topic {name}: {error.str()}.",
                advice="Check its name and this client's rights (POSTIL_KAFKA_*).",
            )
        return unavailable(error, self._servers)


def look_up(settings: Mapping[str, Any], topic: str, *, timeout: float = 10.0) -> TopicState:
    """Return the topic's state, through an admin client that is made for this call.

    Raises `KafkaUnavailable` if no broker responds, and `ConfigurationError` if the client refuses `settings`.
    """
    return Topics(settings, timeout=timeout).find(topic)


def unavailable(error: KafkaError, servers: object) -> KafkaUnavailable:
    """Return the error for a broker that cannot be used now."""
    return KafkaUnavailable(
        f"Kafka at {servers} cannot be used now: {error.str()}.",
        advice="Check that it runs, and the POSTIL_KAFKA_* settings.",
        error=error,
    )


def settings_refused(error: KafkaException) -> ConfigurationError:
    """Return the error for settings that the client itself refuses."""
    return ConfigurationError(
        f"Kafka's client refuses its settings: {error.args[0].str()}.",
        advice="Correct the POSTIL_KAFKA_* settings.",
    )


def typed_error(error: KafkaError, doing: str) -> Unavailable | ConfigurationError:
    """Return the typed error for a client's error; `doing` names the operation, as in "reading topic x".

    It is a `ConfigurationError` if an operator must change something, and `Unavailable` if a retry may succeed.
    """
    what = f"Kafka: {doing}: {error.str()}"
    if advice := ADVICE_BY_REFUSAL.get(error.code()):
        return ConfigurationError(what, advice=advice)
    if error.fatal():
        return ConfigurationError(what, advice="Start the process again; report it if it comes back.")
    missing = error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    return Unavailable(what, advice=TOPIC_MISSING if missing else UNREACHABLE)
