"""Checks of Kafka and of the topic."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from postil.errors import ConfigurationError
from postil.settings import Settings
from postil_stack.doctor.report import Finding

if TYPE_CHECKING:
    from postil.kafka import TopicState  # needs an extra


def check_kafka(settings: Settings) -> Iterator[Finding]:
    """Check that Kafka can be reached, and the topic."""
    if not settings.kafka_bootstrap_servers:
        yield Finding(
            "kafka",
            "unknown",
            "none is configured and none runs",
            "postil up, or set POSTIL_KAFKA_BOOTSTRAP_SERVERS",
        )
        return
    if find_spec("confluent_kafka") is None:
        yield Finding("kafka", "unknown", "no client is installed", "pip install 'postil[relay]'")
        return
    from postil.kafka import KafkaUnavailable, look_up  # noqa: PLC0415 (needs an extra)

    try:
        with _silenced():
            topic = look_up(settings.kafka_client(), settings.kafka_topic, timeout=5)
    except KafkaUnavailable as error:
        yield Finding(
            "kafka",
            "bad",
            f"cannot be reached: {error.reason}",
            "Start it (postil up), or correct POSTIL_KAFKA_*.",
        )
        return
    except ConfigurationError as error:
        yield Finding("kafka", "bad", error.what, error.advice)
        return
    yield Finding("kafka", "ok", f"{len(topic.brokers)} broker(s) at {settings.kafka_bootstrap_servers}")
    yield _topic_finding(settings, topic)


def _topic_finding(settings: Settings, topic: TopicState) -> Finding:
    name, count = settings.kafka_topic, len(topic.partitions)
    if topic.is_missing:
        return Finding(
            "topic", "bad", f"{name} does not exist", "The relay creates it when it starts: postil relay"
        )
    if topic.error is not None:
        return Finding(
            "topic", "bad", f"{name} cannot be used: {topic.error.str()}", "Check this client's rights."
        )
    if count != settings.kafka_partitions:
        return Finding(
            "topic",
            "note",
            f"{name}, {count} partitions",
            f"The settings have {settings.kafka_partitions}. A topic in use is never changed.",
        )
    return Finding("topic", "ok", f"{name}, {count} partitions")


@contextmanager
def _silenced() -> Generator[None]:
    """Suppress what librdkafka writes directly to standard error. The finding has the same reason in one line."""
    original = os.dup(2)
    with Path(os.devnull).open("w") as null:
        sys.stderr.flush()
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
