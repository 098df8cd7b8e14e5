"""The embedded stack as its user meets it: one at a time, whole or not at all, and all data there after kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from postil.settings import load_settings
from postil_stack.directory_lock import is_owned
from postil_stack.leftovers import end, leftovers

PATIENCE = 90.0

# One stack is used by one test after the other.
pytestmark = pytest.mark.xdist_group("stack")


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    return own | more


def postil(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "postil", *arguments],
        capture_output=True, text=True, timeout=PATIENCE, env=environment(**more), check=False,
    )  # fmt: skip


class Stack:
    """A detached stack in a directory of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def up(self, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
        return postil("up", "--detach", "--data", str(self.data), "--port", "0", *more, **env)

    def down(self) -> subprocess.CompletedProcess[str]:
        return postil("down", "--data", str(self.data))

    def status(self) -> dict[str, Any]:
        return json.loads(postil("status", "--json", "--data", str(self.data)).stdout)

    def until(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while not so(now := self.status()):
            assert time.monotonic() < deadline, now
        return now


def end_of_partition(stack: Stack, topic: str) -> int:
    client = load_settings(data_dir=stack.data).kafka_client()
    consumer = Consumer({**client, "group.id": "test", "log_level": "0"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), 30)[1]
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / ".postil")
    started = stack.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield stack
    stack.down()
    end(leftovers(stack.data))


def test_status_says_where_everything_is(stack: Stack) -> None:
    status = stack.status()
    assert status["healthy"]
    assert {name: part["status"] for name, part in status["processes"].items()} == dict.fromkeys(
        ["postgres", "kafka", "relay", "audit", "serve"], "ready"
    )
    assert all(psutil.pid_exists(part["pid"]) for part in status["processes"].values())
    assert status["audit_dir"] == str(stack.data / "audit")
    assert status["http_url"].startswith("http://127.0.0.1:")
    with psycopg.connect(status["database_url"]) as connection:
        assert connection.execute("select count(*) >= 0 from postil.event").fetchone() == (True,)


def test_nothing_of_the_stack_is_open_to_other_users(stack: Stack) -> None:
    assert stack.data.stat().st_mode & 0o077 == 0
    for secret in ("stack.json", "postgres/password", "kafka/password", "kafka/server.properties"):
        assert (stack.data / secret).stat().st_mode & 0o077 == 0, secret


def test_doctor_finds_nothing_wrong_with_it(stack: Stack) -> None:
    examined = postil("doctor", "--json", "--data", str(stack.data))
    bad = [finding for finding in json.loads(examined.stdout) if finding["verdict"] in {"bad", "unknown"}]
    assert bad == []
    assert examined.returncode == 0


def test_a_second_up_on_the_same_directory_is_refused_and_harms_nobody(stack: Stack) -> None:
    before = stack.status()["pid"]
    second = stack.up()
    assert second.returncode == 2
    assert f"A stack runs in {stack.data} already (process {before})" in second.stderr
    assert "postil down" in second.stderr
    assert stack.status()["pid"] == before


def test_a_program_that_dies_is_started_again_and_status_says_so(stack: Stack) -> None:
    relay = stack.status()["processes"]["relay"]["pid"]
    os.kill(relay, signal.SIGKILL)
    again = stack.until(lambda now: now["processes"]["relay"]["restarts"] == 1 and now["healthy"])
    assert again["processes"]["relay"]["pid"] != relay


def test_a_server_that_dies_is_started_again_with_what_it_held(stack: Stack) -> None:
    kafka = stack.status()["processes"]["kafka"]["pid"]
    os.kill(kafka, signal.SIGKILL)
    again = stack.until(lambda now: now["processes"]["kafka"]["restarts"] == 1 and now["healthy"])
    assert again["processes"]["kafka"]["pid"] != kafka


def test_all_data_is_there_after_kill_9_of_everything(stack: Stack) -> None:
    status = stack.status()
    client = {**load_settings(data_dir=stack.data).kafka_client(), "log_level": "0"}
    with psycopg.connect(status["database_url"]) as connection:
        connection.execute("create table kept as select 42 as answer")
    producer = Producer(client)
    producer.produce(status["kafka_topic"], b"kept", partition=0)
    assert producer.flush(30) == 0
    end = Consumer({**client, "group.id": "test"}).get_watermark_offsets(
        TopicPartition(status["kafka_topic"], 0), 30
    )[1]

    del producer  # it would go on looking for the broker

    # The supervisor first, so that it starts nothing again; then all of its parts.
    pids = [status["pid"], *(part["pid"] for part in status["processes"].values())]
    victims = [psutil.Process(pid) for pid in pids]
    victims += [child for victim in victims for child in victim.children(recursive=True)]
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=PATIENCE)
    gone = stack.status()
    assert not gone["running"]
    assert {part["status"] for part in gone["processes"].values()} == {"dead"}

    started = stack.up()
    assert started.returncode == 0, started.stdout + started.stderr
    with psycopg.connect(stack.status()["database_url"]) as connection:
        assert connection.execute("table kept").fetchone() == (42,)
    assert end_of_partition(stack, status["kafka_topic"]) == end


def test_programs_that_outlive_their_supervisor_are_ended_by_down(stack: Stack) -> None:
    status = stack.status()
    supervisor = psutil.Process(status["pid"])
    supervisor.kill()
    psutil.wait_procs([supervisor], timeout=PATIENCE)
    assert stack.down().returncode == 0
    assert not [part["pid"] for part in status["processes"].values() if psutil.pid_exists(part["pid"])]
    assert leftovers(stack.data) == []


def test_down_where_nothing_runs_says_so(stack: Stack) -> None:
    stack.down()  # whatever the tests before this one left
    ended = stack.down()
    assert (ended.returncode, "nothing runs" in ended.stdout) == (0, True)


def test_status_where_nothing_runs_says_what_to_do(tmp_path: Path) -> None:
    asked = postil("status", "--data", str(tmp_path / ".postil"))
    assert asked.returncode == 2
    assert "postil up" in asked.stderr


def test_a_busy_port_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = postil("up", "--data", str(tmp_path / ".postil"), "--port", port)
    assert refused.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in refused.stderr
    assert "postil up --port N" in refused.stderr
    assert not (tmp_path / ".postil" / "postgres").exists()


def test_without_network_up_says_what_to_do_and_leaves_nothing_running(tmp_path: Path) -> None:
    configuration = tmp_path / "jgo.conf"
    configuration.write_text("[repositories]\ncentral = http://127.0.0.1:9\n", "utf-8")
    stack = Stack(tmp_path / ".postil")
    offline = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JGO_CONFIG_FILE": str(configuration)}
    refused = stack.up(**offline)
    assert refused.returncode == 2
    assert "cannot be downloaded: the connection was refused" in refused.stderr
    assert "postil up --kafka memory" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert not is_owned(stack.data)
    assert not (stack.data / "postgres" / "data" / "postmaster.pid").exists()


def test_without_network_kafka_in_memory_does_and_is_announced_as_such(tmp_path: Path) -> None:
    stack = Stack(tmp_path / ".postil")
    try:
        started = stack.up("--kafka", "memory", XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert started.returncode == 0, started.stdout + started.stderr
        assert "its content is lost at the end" in started.stdout
        assert stack.status()["kafka"] == "memory"
    finally:
        assert stack.down().returncode == 0


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    refused = postil("up", "--detach", "--data", str(tmp_path / "file" / "data"))
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr
    assert "--data DIR" in refused.stderr
