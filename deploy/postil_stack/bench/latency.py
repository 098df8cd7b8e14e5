"""Measures the time from a commit to a consumer. The limits are one fsync, and one message produced directly."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, Producer

from postil.errors import Unavailable
from postil.model.envelope import parse
from postil_relay.kafka_producer import Topic, producer_settings
from postil_stack.bench.scene import PARTITIONS, Scene

WARM_UP = 0.2
"""The fraction of the measurements at the beginning that is not counted."""


@dataclass(frozen=True)
class Spread:
    """Median and 99th percentile in milliseconds, and the number of measurements."""

    p50: float
    p99: float
    count: int


@dataclass(frozen=True)
class Figures:
    """The time from commit to consumer at `rate` commits per second, and its limits: a direct message, and one fsync."""

    rate: float
    event: Spread
    direct: Spread
    fsync: Spread


def measure(scene: Scene, rate: float, seconds: float, progress: Callable[[], None]) -> Figures:
    """Measure the limits and then the relay."""
    fsync = _fsync()
    progress()
    with scene.topic() as topic:
        direct = _direct(scene, topic, rate, seconds / 2)
    progress()
    with scene.topic() as topic, scene.relay(topic):
        reached, event = _through_the_relay(scene, topic, rate, seconds)
    progress()
    return Figures(reached, event, direct, fsync)


def _through_the_relay(scene: Scene, topic: str, rate: float, seconds: float) -> tuple[float, Spread]:
    consumer = scene.consumer(topic)
    writer = subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", "postil_stack.bench.latency_writer", scene.url, str(rate), str(seconds)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.append(writer.communicate()[0]))
    reader.start()
    received: list[tuple[int, bytes]] = []
    expected = int(rate / 4 * seconds) * 4
    quiet_since = time.monotonic()
    while len(received) < expected + 4 and time.monotonic() - quiet_since < 10:
        if _drain(consumer, received):
            quiet_since = time.monotonic()
    consumer.close()
    reader.join()
    committed = {(run, seq): at for run, seq, at in json.loads(output[0])}
    latencies: list[float] = []
    for at, value in received:
        event = parse(value)
        commit = committed.get((event.run_id, event.run_seq))
        if commit is not None:
            latencies.append((at - commit) / 1e6)
    times = list(committed.values())
    return (len(times) - 1) / (max(times) - min(times)) * 1e9, _spread(latencies)


def _direct(scene: Scene, topic: str, rate: float, seconds: float) -> Spread:
    producer = Producer(producer_settings(scene.settings.kafka_client(), Topic(topic, PARTITIONS)))
    consumer = scene.consumer(topic)
    count = int(rate * seconds)
    filler = b" " * 700

    def produce() -> None:
        begin = time.monotonic()
        for turn in range(count):
            rest = begin + turn / rate - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            producer.produce(topic, b"%d%s" % (time.time_ns(), filler), b"%d" % (turn % 4))
            producer.poll(0)
        producer.flush()

    producing = threading.Thread(target=produce)
    producing.start()
    received: list[tuple[int, bytes]] = []
    while len(received) < count:
        _drain(consumer, received)
    producing.join()
    consumer.close()
    return _spread([(at - int(value)) / 1e6 for at, value in received])


def _drain(consumer: Consumer, received: list[tuple[int, bytes]]) -> bool:
    """Wait for one message, then take all that are there. consume(n, t) would always wait for t seconds."""
    message = consumer.poll(0.1)
    any_message = message is not None
    while message is not None:
        value = message.value()
        if message.error() is None and value is not None:
            received.append((time.time_ns(), value))
        message = consumer.poll(0)
    return any_message


def _fsync() -> Spread:
    times: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return _spread(times)


def _spread(times: list[float]) -> Spread:
    counted = times[int(len(times) * WARM_UP) :]
    if len(counted) < 2:
        raise Unavailable("No event arrived.", advice="Run `postil relay` to see why.")
    hundredths = statistics.quantiles(counted, n=100, method="inclusive")
    return Spread(hundredths[49], hundredths[98], len(counted))
