"""How long a warm start takes until an event travels from a commit to the page's feed: python tests/benchmarks/warm_start.py

A stack is started once, so that everything is downloaded and initialised, and ended; then it is started again, round by round.
Beside it stand the two things no start can do without: PostgreSQL and Kafka, each alone, until they answer.
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

PATIENCE = 60.0


def main(rounds: int) -> None:
    """Measure and print."""
    train()
    with tempfile.TemporaryDirectory(prefix="postil-start-") as place:
        data = Path(place)
        returned: list[float] = []
        travelled: list[float] = []
        try:
            postil(data, "up", "--detach", "--port", "0")
            url, address = where(data)
            for _ in range(rounds):
                postil(data, "down")
                began = time.monotonic()
                with timed(data, returned):
                    travelled.append(first_event(url, address) - began)
        finally:
            postil(data, "down")
        postgres, kafka = EmbeddedPostgres(data / "postgres"), EmbeddedKafka(data / "kafka")
        alone = {
            "PostgreSQL": [start(postgres) for _ in range(rounds)],
            "Kafka": [start(kafka) for _ in range(rounds)],
        }
    show("an event is on the feed", travelled, "aim 4.0 or less")
    show("the command returns", returned, "all parts ready")
    for name, seconds in alone.items():
        show(f"{name} alone", seconds, "until it answers")


def start(server: EmbeddedPostgres | EmbeddedKafka) -> float:
    began = time.monotonic()
    server.start()
    took = time.monotonic() - began
    server.stop()
    return took


def show(what: str, seconds: list[float], remark: str) -> None:
    median, least, most = statistics.median(seconds), min(seconds), max(seconds)
    sys.stdout.write(f"{what:<24} {median:5.2f} s  ({least:.2f} to {most:.2f}; {remark})\n")


def postil(data: Path, *arguments: str) -> str:
    command = [Path(sys.executable).with_name("postil"), *arguments, "--data", data]
    others = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    return subprocess.run(command, env=others, check=True, capture_output=True, text=True).stdout


def where(data: Path) -> tuple[str, str]:
    """The database's URL and the page's address; both are the same after a restart."""
    status = json.loads(postil(data, "status", "--json"))
    return status["database_url"], status["http_url"].removeprefix("http://")


@contextmanager
def timed(data: Path, returned: list[float]) -> Iterator[None]:
    """Start the stack in the meantime."""

    def up() -> None:
        began = time.monotonic()
        postil(data, "up", "--detach", "--port", "0")
        returned.append(time.monotonic() - began)

    thread = threading.Thread(target=up)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def first_event(url: str, address: str) -> float:
    """Open the feed as soon as it can be, then commit, and wait for it; answer when it came."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "the feed does not open"
        connection = http.client.HTTPConnection(address, timeout=PATIENCE)
        try:
            connection.request("GET", "/api/feed")
            feed = connection.getresponse()
            break
        except OSError:
            time.sleep(0.01)  # nothing signals a port that opens: this is what a browser would do
    run = str(uuid.uuid4())
    Postil(url).create_run(run)
    while run not in feed.readline().decode():
        assert time.monotonic() < deadline, "the event does not come"
    connection.close()
    return time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
