"""The commands that start and stop the embedded stack, with processes killed and resources missing."""

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

TIMEOUT = 90.0  # seconds

# The tests share one stack, so one pytest worker runs all of them.
pytestmark = pytest.mark.xdist_group("stack")


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without Postil's variables, and with the given ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    return clean | variables


def postil(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line until it ends."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "postil", *arguments],
        capture_output=True, text=True, timeout=TIMEOUT, env=environment(**variables), check=False,
    )  # fmt: skip


class Stack:
    """A detached stack in its own data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def up(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return postil("up", "--detach", "--data", str(self.data), "--port", "0", *options, **variables)

    def down(self) -> subprocess.CompletedProcess[str]:
        return postil("down", "--data", str(self.data))

    def status(self) -> dict[str, Any]:
        return json.loads(postil("status", "--json", "--data", str(self.data)).stdout)

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first status for which `condition` is true."""
        deadline = time.monotonic() + TIMEOUT
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
        return status


def end_offset(stack: Stack, topic: str) -> int:
    """Return the end offset of partition 0."""
    client = load_settings(data_dir=stack.data).kafka_client()
    consumer = Consumer({**client, "group.id": "test", "log_level": "0"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), 30)[1]
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / ".postil")
    result = stack.up()
    assert result.returncode == 0, result.stdout + result.stderr
    yield stack
    stack.down()
    end(leftovers(stack.data))


def test_status_lists_every_part_and_its_address(stack: Stack) -> None:
    """`postil status` reports each part ready with its process, and addresses that can be used."""
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


def test_stack_files_are_closed_to_other_users(stack: Stack) -> None:
    """Other users of the machine can read neither the data directory nor any file with a password."""
    assert stack.data.stat().st_mode & 0o077 == 0
    for secret in ("stack.json", "postgres/password", "kafka/password", "kafka/server.properties"):
        assert (stack.data / secret).stat().st_mode & 0o077 == 0, secret


def test_doctor_passes_on_a_running_stack(stack: Stack) -> None:
    """`postil doctor` exits with 0 and reports no bad or unknown finding for a healthy stack."""
    result = postil("doctor", "--json", "--data", str(stack.data))
    failures = [finding for finding in json.loads(result.stdout) if finding["verdict"] in {"bad", "unknown"}]
    assert failures == []
    assert result.returncode == 0


def test_a_second_up_is_refused_and_the_first_stack_stays(stack: Stack) -> None:
    """`postil up` on the data directory of a running stack exits with 2 and leaves that stack alone."""
    pid = stack.status()["pid"]
    second = stack.up()
    assert second.returncode == 2
    assert f"A stack runs in {stack.data} already (process {pid})" in second.stderr
    assert "postil down" in second.stderr
    assert stack.status()["pid"] == pid


def test_a_killed_program_is_restarted_and_counted(stack: Stack) -> None:
    """The supervisor restarts a killed program, and `postil status` counts the restart."""
    pid = stack.status()["processes"]["relay"]["pid"]
    os.kill(pid, signal.SIGKILL)
    status = stack.wait_for(lambda now: now["processes"]["relay"]["restarts"] == 1 and now["healthy"])
    assert status["processes"]["relay"]["pid"] != pid


def test_a_killed_server_is_restarted_and_counted(stack: Stack) -> None:
    """The supervisor restarts a killed server, and `postil status` counts the restart."""
    pid = stack.status()["processes"]["kafka"]["pid"]
    os.kill(pid, signal.SIGKILL)
    status = stack.wait_for(lambda now: now["processes"]["kafka"]["restarts"] == 1 and now["healthy"])
    assert status["processes"]["kafka"]["pid"] != pid


def test_a_damaged_audit_log_is_not_healthy(stack: Stack) -> None:
    """`postil status` and `postil doctor` report a writer that runs and cannot write; a repair needs no restart."""
    pid = stack.status()["processes"]["audit"]["pid"]
    manifest = next((stack.data / "audit").glob("*/manifest.ndjson"))
    content = manifest.read_bytes()
    manifest.write_bytes(b"#" + content[1:])
    os.kill(pid, signal.SIGKILL)
    status = stack.wait_for(lambda now: now["processes"]["audit"]["status"] == "failing")
    assert not status["healthy"]
    assert str(manifest) in status["processes"]["audit"]["message"]
    doctor = postil("doctor", "--json", "--data", str(stack.data))
    findings = [finding for finding in json.loads(doctor.stdout) if finding["name"] == "audit log"]
    assert (doctor.returncode, findings[-1]["verdict"]) == (1, "bad")
    manifest.write_bytes(content)
    stack.wait_for(lambda now: now["healthy"])


def test_no_data_is_lost_when_every_process_is_killed(stack: Stack) -> None:
    """After kill -9 of every process, the next `postil up` has all rows and all messages."""
    status = stack.status()
    with psycopg.connect(status["database_url"]) as connection:
        connection.execute("create table durable as select 42 as number")
    producer = Producer({**load_settings(data_dir=stack.data).kafka_client(), "log_level": "0"})
    producer.produce(status["kafka_topic"], b"durable", partition=0)
    assert producer.flush(30) == 0
    end = end_offset(stack, status["kafka_topic"])

    del producer  # it would try to connect to the broker until the end of the test

    # The supervisor dies first, so that it cannot restart the others.
    pids = [status["pid"], *(part["pid"] for part in status["processes"].values())]
    processes = [psutil.Process(pid) for pid in pids]
    processes += [child for process in processes for child in process.children(recursive=True)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=TIMEOUT)
    status = stack.status()
    assert not status["running"]
    assert {part["status"] for part in status["processes"].values()} == {"dead"}

    result = stack.up()
    assert result.returncode == 0, result.stdout + result.stderr
    with psycopg.connect(stack.status()["database_url"]) as connection:
        assert connection.execute("table durable").fetchone() == (42,)
    assert end_offset(stack, status["kafka_topic"]) == end


def test_down_ends_programs_whose_supervisor_died(stack: Stack) -> None:
    """`postil down` ends every process that a killed supervisor left running."""
    status = stack.status()
    supervisor = psutil.Process(status["pid"])
    supervisor.kill()
    psutil.wait_procs([supervisor], timeout=TIMEOUT)
    assert stack.down().returncode == 0
    assert not [part["pid"] for part in status["processes"].values() if psutil.pid_exists(part["pid"])]
    assert leftovers(stack.data) == []


def test_down_without_a_stack_succeeds(stack: Stack) -> None:
    """`postil down` exits with 0 and reports that no stack runs."""
    stack.down()  # the tests before this one may have left a stack
    result = stack.down()
    assert result.returncode == 0
    assert "nothing runs" in result.stdout


def test_status_without_a_stack_recommends_up(tmp_path: Path) -> None:
    """`postil status` exits with 2 and recommends `postil up` when no stack runs."""
    result = postil("status", "--data", str(tmp_path / ".postil"))
    assert result.returncode == 2
    assert "postil up" in result.stderr


def test_a_busy_port_is_refused_before_any_start(tmp_path: Path) -> None:
    """`postil up` names a port that is in use and starts no server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        result = postil("up", "--data", str(tmp_path / ".postil"), "--port", port)
    assert result.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in result.stderr
    assert "postil up --port N" in result.stderr
    assert not (tmp_path / ".postil" / "postgres").exists()


def test_a_failed_download_is_explained_and_cleaned_up(tmp_path: Path) -> None:
    """Without a network, `postil up` gives the reason, recommends Kafka in memory, and ends what it started."""
    configuration = tmp_path / "jgo.conf"
    configuration.write_text("[repositories]\ncentral = http://127.0.0.1:9\n", "utf-8")
    stack = Stack(tmp_path / ".postil")
    offline = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JGO_CONFIG_FILE": str(configuration)}
    result = stack.up(**offline)
    assert result.returncode == 2
    assert "cannot be downloaded: the connection was refused" in result.stderr
    assert "postil up --kafka memory" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not is_owned(stack.data)
    assert not (stack.data / "postgres" / "data" / "postmaster.pid").exists()


def test_kafka_in_memory_starts_without_a_network(tmp_path: Path) -> None:
    """`postil up --kafka memory` needs no download, and warns that Kafka's content is not stored."""
    stack = Stack(tmp_path / ".postil")
    try:
        result = stack.up("--kafka", "memory", XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert result.returncode == 0, result.stdout + result.stderr
        assert "its content is lost at the end" in result.stdout
        assert stack.status()["kafka"] == "memory"
    finally:
        assert stack.down().returncode == 0


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """`postil up` names a data directory that it cannot create, and recommends `--data`."""
    (tmp_path / "file").write_text("in the way", "utf-8")
    result = postil("up", "--detach", "--data", str(tmp_path / "file" / "data"))
    assert result.returncode == 2
    assert "cannot be written" in result.stderr
    assert "--data DIR" in result.stderr
