"""Measures a warm start: the time until the first committed event is on the page's feed.

Run it with ``python tests/benchmarks/warm_start.py``. The first start downloads and initialises everything and is
not measured. The output also has the time that PostgreSQL and Kafka need alone, because no start can be faster.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postil import Postil
from postil_stack.servers.kafka import EmbeddedKafka, train
from postil_stack.servers.postgres import EmbeddedPostgres

TIMEOUT = 60.0  # seconds


def main(rounds: int) -> None:
    """Measure `rounds` starts and print the results."""
    train()
    with tempfile.TemporaryDirectory(prefix="postil-start-") as directory:
        data = Path(directory)
        command_times: list[float] = []
        event_times: list[float] = []
        try:
            postil(data, "up", "--detach", "--port", "0")
            url, address = addresses(data)
            for _ in range(rounds):
                postil(data, "down")
                start_time = time.monotonic()
                with timed(data, command_times):
                    event_times.append(first_event(url, address) - start_time)
        finally:
            postil(data, "down")
        postgres, kafka = EmbeddedPostgres(data / "postgres"), EmbeddedKafka(data / "kafka")
        server_times = {
            "PostgreSQL": [start(postgres) for _ in range(rounds)],
            "Kafka": [start(kafka) for _ in range(rounds)],
        }
    show("an event is on the feed", event_times, "aim 4.0 or less")
    show("the command returns", command_times, "all parts ready")
    for name, seconds in server_times.items():
        show(f"{name} alone", seconds, "until it is ready")


def start(server: EmbeddedPostgres | EmbeddedKafka) -> float:
    """Return how many seconds the server needs until it is ready."""
    start_time = time.monotonic()
    server.start()
    duration = time.monotonic() - start_time
    server.stop()
    return duration


def show(name: str, seconds: list[float], remark: str) -> None:
    """Print the median, the minimum and the maximum of a measurement."""
    median, least, most = statistics.median(seconds), min(seconds), max(seconds)
    sys.stdout.write(f"{name:<24} {median:5.2f} s  ({least:.2f} to {most:.2f}; {remark})\n")


def postil(data: Path, *arguments: str) -> str:
    """Run a command and return its output."""
    command = [Path(sys.executable).with_name("postil"), *arguments, "--data", data]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def addresses(data: Path) -> tuple[str, str]:
    """Return the database's URL and the page's address; a restart does not change them."""
    status = json.loads(postil(data, "status", "--json"))
    return status["database_url"], status["http_url"].removeprefix("http://")


@contextmanager
def timed(data: Path, command_times: list[float]) -> Iterator[None]:
    """Start the stack in a thread, while the caller waits for the first event; append the seconds it took."""

    def up() -> None:
        start_time = time.monotonic()
        postil(data, "up", "--detach", "--port", "0")
        command_times.append(time.monotonic() - start_time)

    thread = threading.Thread(target=up)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def first_event(url: str, address: str) -> float:
    """Open the feed once the page accepts connections, commit a run, and return the time when its event arrives."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        assert time.monotonic() < deadline, "the feed does not open"
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        try:
            connection.request("GET", "/api/feed")
            feed = connection.getresponse()
            break
        except OSError:
            time.sleep(0.01)  # no signal exists for a port that opens; a browser would retry too
    run = str(uuid.uuid4())
    Postil(url).create_run(run)
    while run not in feed.readline().decode():
        assert time.monotonic() < deadline, "the event does not come"
    connection.close()
    return time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
