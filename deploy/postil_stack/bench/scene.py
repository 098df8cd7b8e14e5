"""What both measurements need: a scratch database, a broker, a topic, and the real relay as a process of its own."""

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
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from postil.errors import ConfigurationError, Unavailable
from postil.kafka import look_up
from postil.settings import Settings, load_settings
from postil_stack.bench.scratch import scratch_database

PARTITIONS = 6


@dataclass(frozen=True)
class Scene:
    """Settings that point at a scratch database and at a broker."""

    settings: Settings

    @property
    def url(self) -> str:
        """The scratch database."""
        return self.settings.require_database_url()

    @contextmanager
    def topic(self) -> Generator[str]:
        """A topic stamped by the broker on arrival, deleted afterwards."""
        name = f"postil.bench.{uuid.uuid4().hex[:8]}"
        admin = AdminClient({**self.settings.kafka_client(), "log_level": 0})
        stamped = {"message.timestamp.type": "LogAppendTime"}
        admin.create_topics([NewTopic(name, PARTITIONS, config=stamped)])[name].result(30)  # pyright: ignore[reportUnknownMemberType] -- the driver leaves the future's type open
        try:
            yield name
        finally:
            admin.delete_topics([name])[name].result(30)  # pyright: ignore[reportUnknownMemberType] -- likewise

    @contextmanager
    def relay(self, topic: str) -> Generator[subprocess.Popen[str]]:
        """The real relay, ready: it publishes, or stands by if the lanes are taken."""
        given = {
            **self.settings.model_dump(exclude_none=True),
            "kafka_topic": topic,
            "kafka_partitions": PARTITIONS,
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "postil", "relay"],
            env=others | {f"POSTIL_{name.upper()}": str(value) for name, value in given.items()},
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
        """A consumer of the whole topic from its beginning, in no group."""
        consumer = Consumer({
            **self.settings.kafka_client(), "group.id": "postil-bench", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "fetch.min.bytes": 1,
        })  # fmt: skip
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        return consumer


@contextmanager
def scene(settings: Settings) -> Generator[Scene]:
    """Use the servers at hand, or throw-away ones. Raises `Unavailable` where one of them does not answer."""
    if settings.kafka_bootstrap_servers is not None:
        look_up(settings.kafka_client(), settings.kafka_topic)
    with ExitStack() as stack:
        url = stack.enter_context(scratch_database(settings))
        changes: dict[str, object] = {"database_url": url}
        if settings.kafka_bootstrap_servers is None:
            changes |= stack.enter_context(_throw_away_kafka())
        yield Scene(load_settings(**{**settings.model_dump(exclude_none=True), **changes}))


@contextmanager
def _throw_away_kafka() -> Generator[dict[str, str]]:
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
