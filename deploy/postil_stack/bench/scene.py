"""The scene of the benchmarks of the relay: a scratch database, a broker, a topic, and the real relay in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from postil.errors import ConfigurationError, Unavailable
from postil.kafka import Topics, look_up
from postil.settings import Settings, load_settings
from postil_stack.bench.scratch import scratch_database

PARTITIONS = 6


@dataclass(frozen=True)
class Scene:
    """Settings with a scratch database and a broker."""

    settings: Settings

    @property
    def url(self) -> str:
        """The URL of the scratch database."""
        return self.settings.require_database_url()

    @contextmanager
    def topic(self) -> Generator[str]:
        """Yield a new topic whose messages the broker timestamps on arrival. It is deleted at the end."""
        name = f"postil.bench.{uuid.uuid4().hex[:8]}"
        topics = Topics(self.settings.kafka_client(), timeout=30.0)
        topics.create(name, PARTITIONS, config={"message.timestamp.type": "LogAppendTime"})
        try:
            yield name
        finally:
            topics.delete(name)

    @contextmanager
    def relay(self, topic: str) -> Generator[subprocess.Popen[str]]:
        """Yield the running relay. It publishes, or stands by if another relay owns the lanes."""
        settings = {
            **self.settings.model_dump(exclude_none=True),
            "kafka_topic": topic,
            "kafka_partitions": PARTITIONS,
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "postil", "relay"],
            env=environment | {f"POSTIL_{name.upper()}": str(value) for name, value in settings.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise Unavailable("The relay did not start.", advice="Run `postil relay` to see why.")
            yield process
        finally:
            process.terminate()
            process.communicate()

    def consumer(self, topic: str) -> Consumer:
        """Return a consumer of the whole topic from its beginning, without a group."""
        consumer = Consumer({
            **self.settings.kafka_client(), "group.id": "postil-bench", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "fetch.min.bytes": 1,
        })  # fmt: skip
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        return consumer


@contextmanager
def scene(settings: Settings) -> Generator[Scene]:
    """Yield a scene on the configured servers, or on temporary ones. Raises `Unavailable` if a server cannot be reached."""
    if settings.kafka_bootstrap_servers is not None:
        look_up(settings.kafka_client(), settings.kafka_topic)
    with ExitStack() as stack:
        url = stack.enter_context(scratch_database(settings))
        changes: dict[str, object] = {"database_url": url}
        if settings.kafka_bootstrap_servers is None:
            changes |= stack.enter_context(_temporary_kafka())
        yield Scene(load_settings(**{**settings.model_dump(exclude_none=True), **changes}))


@contextmanager
def _temporary_kafka() -> Generator[dict[str, str]]:
    try:
        from postil_stack.servers.kafka import EmbeddedKafka  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            "There is no Kafka to measure.",
            advice="Set POSTIL_KAFKA_BOOTSTRAP_SERVERS, or install 'postil[embedded]'.",
        ) from missing
    with (
        tempfile.TemporaryDirectory(prefix="postil-bench-") as directory,
        EmbeddedKafka(Path(directory) / "kafka") as kafka,
    ):
        yield kafka.settings()
