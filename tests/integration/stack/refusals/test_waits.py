"""A long-running program that lacks what it needs waits, states why in one line, and ends when asked."""

from __future__ import annotations

import json
import signal
import subprocess
from operator import attrgetter
from typing import Any

import pytest

from fixtures.refusals import KAFKA_REFUSES, PASSWORD, Refusal, refusal
from postil.runtime import logs
from postil_stack.servers.kafka import EmbeddedKafka

pytestmark = pytest.mark.timeout(60)  # a command that hangs does not refuse its input

WAITS = [
    refusal("relay", "Kafka refuses", **KAFKA_REFUSES, says=('"part": "kafka"', "Connection refused")),
    refusal("consume audit", "Kafka refuses", **KAFKA_REFUSES, POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "Connection refused")),
]  # fmt: skip
WAITS_WITH_KAFKA = [
    refusal("relay", "a database that refuses", POSTIL_DATABASE_URL=lambda w: f"postgresql://127.0.0.1:{w.closed}/d",
        says=('"part": "postgres"', "Connection refused")),
    refusal("relay", "no schema", POSTIL_DATABASE_URL=attrgetter("bare_url"),
        says=('"part": "postgres"', "lacks part of schema")),
    refusal("relay", "a wrong password", POSTIL_KAFKA_PASSWORD=PASSWORD, says=('"part": "kafka"', "Authentication failed")),
    refusal("consume audit", "a wrong password", POSTIL_KAFKA_PASSWORD=PASSWORD, POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "Authentication failed")),
    refusal("consume audit", "no topic", POSTIL_KAFKA_TOPIC="nosuch", POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "looking for topic nosuch")),
]  # fmt: skip


@pytest.fixture
def kafka(kafka_server: EmbeddedKafka, kafka_topic: str) -> dict[str, str]:
    """The variables that name a Kafka that can be reached, and a topic in it."""
    settings = {**kafka_server.settings(), "kafka_topic": kafka_topic}
    return {f"POSTIL_{name.upper()}": value for name, value in settings.items()}


@pytest.mark.parametrize("row", WAITS, ids=[row.case for row in WAITS])
def test_a_program_waits_for_kafka_and_ends_when_asked(start: Any, row: Refusal) -> None:
    """One line states what it waits for; SIGTERM ends it with exit code 0."""
    assert_waits(start(*row.line, **row.environment), *row.says)


@pytest.mark.parametrize("row", WAITS_WITH_KAFKA, ids=[row.case for row in WAITS_WITH_KAFKA])
def test_a_program_with_kafka_states_what_else_it_lacks(
    start: Any, kafka: dict[str, str], row: Refusal
) -> None:
    """With Kafka reached, the line names Postgres, the schema, the password or the topic."""
    assert_waits(start(*row.line, **{**kafka, **row.environment}), *row.says)


def assert_waits(process: subprocess.Popen[bytes], *says: str) -> None:
    """Assert that the process logs one line `waiting` that contains the texts, and ends after SIGTERM."""
    assert process.stderr is not None
    line = json.loads(process.stderr.readline())
    assert line["event"] == "waiting"
    for text in says:
        assert text in json.dumps(line)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_verify_names_an_altered_log_and_a_missing_topic(
    command: Any, kafka: dict[str, str], database_url: str
) -> None:
    """An altered audit log gives exit code 1, a topic that does not exist gives 2."""
    environment = {**kafka, "POSTIL_DATABASE_URL": database_url, "POSTIL_AUDIT_DIR": "garbage"}
    command("verify", "--wait", "0", **environment).assert_refuses(1, "the entry was altered")
    missing = {**environment, "POSTIL_KAFKA_TOPIC": "nosuch"}
    command("verify", "--wait", "0", **missing).assert_refuses(
        2, "looking for topic nosuch", "POSTIL_KAFKA_TOPIC"
    )


@pytest.mark.parametrize("descriptor", ["x", "-1", "9999"])
def test_a_bad_ready_descriptor_stops_no_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], descriptor: str
) -> None:
    """A program that cannot report to its supervisor logs that, and continues."""
    monkeypatch.setenv("POSTIL_READY_FD", descriptor)
    logs.announce_ready()
    ready, log = capsys.readouterr().out.split("\n", 1)
    assert ready == "ready"
    assert "POSTIL_READY_FD cannot be written to" in log


def test_a_missing_answer_is_recorded_as_a_failure(command: Any, world: Any) -> None:
    """The demo's run fails when its question is not answered in time, and the command states that."""
    answer = command("demo", "folder", "--wait", "0")
    assert answer.code == 2
    assert "error: There was no answer within 0 s" in answer.text
    assert "Run it again and answer in time. The run is recorded as failed" in answer.text
