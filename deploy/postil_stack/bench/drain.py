"""Measures how fast the relay drains a backlog. The limit is librdkafka, which produces the same bytes to the same kind of topic.

The broker's clock times both: from the arrival of the first message to that of the last.
They take turns, so that noise of the machine affects both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from postil.errors import Unavailable
from postil_relay.kafka_producer import HEADERS, Topic, producer_settings
from postil_stack.bench.scene import PARTITIONS, Scene

PER_RUN = 20  # events
TIMEOUT = 300.0  # seconds until all messages must have arrived

_RUNS = """
insert into postil.run (tenant, id, lane, head, status, name, root_id,
                        trigger_source, trigger_action, root_source, recorded_at)
select 'default', 'refund-' || n, mod(n, 64), %(per_run)s, 'running', 'refund-request', 'refund-' || n,
       'sdk', 'trigger', 'sdk', now()
from generate_series(1, %(runs)s) n
"""
_EVENTS = """
insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data)
select mod(n, 64), 'default', 'refund-' || n, %(seq)s, 'annotation:created', 'annotations/' || i, 1, 'refund-' || n, now(),
       jsonb_build_object('id', i, 'key', 'decision.outcome', 'value', 'refund because of a duplicate charge on order ' || n,
           'payload', null, 'actor', jsonb_build_object('kind', 'agent', 'id', 'triage', 'version', '2.1'),
           'scope', 'run', 'scope_id', null, 'stage_id', null, 'attempt', 1, 'try', null, 'group_id', i, 'idempotency_key', null)
from (select n, gen_random_uuid() as i from generate_series(1, %(runs)s) n) as annotations
"""


@dataclass
class Side:
    """The measurements of one side: seconds and CPU-seconds of each round."""

    seconds: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])


@dataclass
class Figures:
    """All measurements. `bytes` and `memory` are in bytes."""

    events: int
    bytes: int
    relay: Side = field(default_factory=Side)
    librdkafka: Side = field(default_factory=Side)
    backend_cpu: list[float] = field(default_factory=list[float])
    memory: int = 0

    def rate(self, side: Side) -> float:
        """Return the median rate in events per second."""
        return self.events / statistics.median(side.seconds)

    def cpu(self, seconds: list[float]) -> float:
        """Return the median CPU-seconds per 100,000 events."""
        return statistics.median(seconds) / self.events * 100_000

    @property
    def ratio(self) -> float:
        """The relay's rate divided by librdkafka's: the median over the rounds."""
        return statistics.median(
            b / a for a, b in zip(self.relay.seconds, self.librdkafka.seconds, strict=True)
        )


def measure(scene: Scene, events: int, rounds: int, progress: Callable[[], None]) -> Figures:
    """Write `events` to the event log, then drain and produce them in turns."""
    runs = max(1, events // PER_RUN)
    with psycopg.connect(scene.url, autocommit=True) as connection:
        connection.execute(_RUNS, {"runs": runs, "per_run": PER_RUN})
        for seq in range(1, PER_RUN + 1):
            connection.execute(_EVENTS, {"runs": runs, "seq": seq})
        connection.execute("vacuum analyze postil.event")
        messages: list[tuple[bytes, bytes]] = connection.execute(
            """select convert_to(tenant || '/' || run_id, 'UTF8'), convert_to(postil.envelope(e), 'UTF8')
               from postil.event e order by position""",
            binary=True,
        ).fetchall()
        figures = Figures(len(messages), sum(len(value) for _, value in messages))
        progress()
        for _ in range(rounds):
            with scene.topic() as topic:
                _drain(scene, connection, topic, figures)
            progress()
            with scene.topic() as topic:
                _produce(scene, topic, messages, figures.librdkafka)
            progress()
    return figures


def _drain(scene: Scene, connection: psycopg.Connection[Any], topic: str, figures: Figures) -> None:
    # The relay starts as a standby, so that the measurement does not include its start.
    connection.execute(
        """update postil.relay_lane set lo = '3:3:', hi = null, after = null,
                  owner = 'bench', lease_until = now() + interval '1 hour'"""
    )
    with scene.relay(topic) as process:
        relay = psutil.Process(process.pid)
        (backend,) = connection.execute(
            "select pid from pg_stat_activity where application_name = 'postil relay' and datname = current_database()"
        ).fetchone() or (0,)
        before, before_backend = _cpu(relay.pid), _cpu(backend)
        connection.execute("update postil.relay_lane set owner = null")
        figures.relay.seconds.append(_arrival(scene, topic, figures.events))
        figures.relay.cpu.append(_cpu(relay.pid) - before)
        figures.backend_cpu.append(_cpu(backend) - before_backend)
        figures.memory = max(figures.memory, relay.memory_info().rss)


def _produce(scene: Scene, topic: str, messages: list[tuple[bytes, bytes]], side: Side) -> None:
    producer = Producer(producer_settings(scene.settings.kafka_client(), Topic(topic, PARTITIONS)))
    delivered = 0

    def report(_error: object, _message: object) -> None:
        nonlocal delivered
        delivered += 1

    producer.list_topics(topic)
    before = time.process_time()
    for number, (key, value) in enumerate(messages):
        producer.produce(topic, value, key, callback=report, headers=HEADERS)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()
    side.cpu.append(time.process_time() - before)
    assert delivered == len(messages)
    side.seconds.append(_arrival(scene, topic, len(messages)))


def _arrival(scene: Scene, topic: str, events: int) -> float:
    """Wait until all messages have arrived. Returns the seconds between the first and the last, by the broker's clock."""
    consumer = scene.consumer(topic)
    deadline = time.monotonic() + TIMEOUT
    try:
        while True:
            ends = [_end(consumer, topic, number) for number in range(PARTITIONS)]
            if sum(ends) >= events:
                break
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Only {sum(ends):,} of {events:,} events arrived.", advice="See the broker's log."
                )
            time.sleep(0.1)
        stamps = [
            _stamp(consumer, topic, number, offset)
            for number, end in enumerate(ends) if end for offset in (0, end - 1)
        ]  # fmt: skip
    finally:
        consumer.close()
    return (max(stamps) - min(stamps)) / 1000


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1])


def _stamp(consumer: Consumer, topic: str, partition: int, offset: int) -> int:
    consumer.assign([TopicPartition(topic, partition, offset)])
    message = consumer.poll(30)
    if message is None:
        raise Unavailable(
            "The broker does not return a message that it accepted.", advice="See the broker's log."
        )
    return int(message.timestamp()[1])


def _cpu(pid: int) -> float:
    """Return the CPU-seconds of a process, or 0 if it is not on this machine."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
