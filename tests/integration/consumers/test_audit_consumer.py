"""`postil consume audit` as a process, on real Kafka and Postgres; `postil verify` waits until it has caught up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from postil.settings import Settings
from postil_consumers.audit.verify.findings import Findings
from postil_consumers.dashboard.testing import ThreadedDashboard
from postil_consumers.verify.verification import verify

WHEN = "2026-01-02T03:04:05Z"
EVENTS = 6  # of a run
Published = tuple[str, int, bytes]
Consumer = subprocess.Popen[str]


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a process that uses these settings."""
    variables = {
        f"POSTIL_{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude_none=True).items()
        if name.startswith(("kafka", "database", "data"))
    }
    return {**os.environ, **variables}


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], Consumer]]:
    """A function that starts a consumer, which is killed at the end of the test."""
    processes: list[Consumer] = []

    def begin() -> Consumer:
        process = subprocess.Popen(
            [sys.executable, "-m", "postil", "consume", "audit"],
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        end(process)


@pytest.fixture
def database(settings: Settings) -> Iterator[psycopg.Connection[tuple[str, int, str]]]:
    with psycopg.connect(settings.require_database_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def producer(settings: Settings) -> Producer:
    return Producer({**settings.kafka_client(), "partitioner": "murmur2_random", "linger.ms": 0})


def end(process: Consumer) -> None:
    """Kill the process and close its streams."""
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def wait_until_ready(process: Consumer) -> None:
    """Wait until the consumer prints that it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def record(database: psycopg.Connection[tuple[str, int, str]], *runs: str) -> list[Published]:
    """Write runs to Postgres and return their events."""
    annotation = {"type": "annotation:created", "at": WHEN, "key": "note", "value": 1, "scope": "run"}
    times = {"recorded_at": WHEN, "started_at": WHEN, "ended_at": WHEN}
    trigger = {"source": "api", "action": "trigger"}
    steps = [annotation | {"key": f"note.n{n}"} for n in range(EVENTS - 2)]
    histories = [
        {"run_id": run, "name": "n", "status": "completed", "trigger": trigger, "steps": steps, **times}
        for run in runs
    ]
    database.execute("select count(*) from postil.record_runs('default', %s::jsonb)", [json.dumps(histories)])
    rows = database.execute(
        "select tenant || '/' || run_id, run_seq, postil.envelope(e) from postil.event e where run_id = any(%s) "
        "order by position",
        [list(runs)],
    )
    return [(run, run_seq, value.encode()) for run, run_seq, value in rows]


def publish(settings: Settings, producer: Producer, events: list[Published]) -> None:
    """Publish the events to Kafka in this order."""
    for run, _, value in events:
        producer.produce(settings.kafka_topic, value, run.encode())
    assert producer.flush(30) == 0


def texts(findings: Findings) -> list[str]:
    """Return each finding as text."""
    return [str(finding) for finding in findings]


def test_published_events_reach_the_audit_log(
    settings: Settings,
    start: Callable[[], Consumer],
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
) -> None:
    """Each published event is in the audit log once, and SIGTERM ends the consumer with exit code 0."""
    process = start()
    wait_until_ready(process)
    publish(settings, producer, record(database, *(f"run-{n}" for n in range(40))))

    report = verify(settings, wait=30)

    assert (texts(report.findings), texts(report.inconclusive), report.recorded) == ([], [], 40 * EVENTS)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_the_dashboard_reports_the_audit_lag(
    settings: Settings,
    start: Callable[[], Consumer],
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
) -> None:
    """The dashboard reports the number of records in the audit log and how many messages it lags behind Kafka."""

    def audit() -> dict[str, object]:
        with ThreadedDashboard(settings.model_copy(update={"http_port": 0})) as dashboard:
            state: dict[str, object] = httpx.get(f"{dashboard.url}/api/pipeline").json()["audit"]
        return state

    publish(settings, producer, record(database, "run-1"))
    assert (audit()["leaves"], audit()["lag"]) == (0, EVENTS)
    process = start()
    wait_until_ready(process)
    assert verify(settings, wait=30).recorded == EVENTS
    process.send_signal(signal.SIGTERM)  # it commits its offsets before it ends
    assert process.wait(30) == 0

    assert (audit()["leaves"], audit()["lag"]) == (EVENTS, 0)


def test_a_killed_consumer_records_each_event_once(
    settings: Settings,
    start: Callable[[], Consumer],
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
) -> None:
    """A consumer that is killed and restarted records each event once, although some are published twice."""
    for generation in range(3):
        process = start()
        wait_until_ready(process)
        events = record(database, *(f"run-{generation}-{n}" for n in range(40)))
        publish(settings, producer, events)
        publish(settings, producer, events[-20:])  # a relay that was killed publishes some twice
        end(process)
    wait_until_ready(start())

    report = verify(settings, wait=30)

    assert (texts(report.findings), texts(report.inconclusive), report.recorded) == ([], [], 120 * EVENTS)


def test_an_unknown_message_and_a_gap_stop_nothing(
    settings: Settings,
    start: Callable[[], Consumer],
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
) -> None:
    """An unknown message becomes a dead letter, and events that Kafka lacks come from Postgres."""
    events = record(database, "run-1")
    publish(settings, producer, [("default/run-1", 0, b"\xff garbage\n")])
    publish(settings, producer, [event for event in events if event[1] not in {1, 3}])
    wait_until_ready(start())

    report = verify(settings, wait=30)

    assert sum(log.dead_letters for log in report.logs) == 1
    # Kafka lacks two events, which are findings; the audit log has them from Postgres.
    assert dict(report.findings.counts) == {"missing": 2}
    assert report.recorded == EVENTS


def test_the_consumer_waits_for_a_missing_topic(
    settings: Settings,
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
    request: pytest.FixtureRequest,
) -> None:
    """The consumer logs that it waits for a missing topic and is ready once the topic exists."""
    later = Settings(**{**settings.model_dump(), "kafka_topic": f"{settings.kafka_topic}.later"})
    process = subprocess.Popen(
        [sys.executable, "-m", "postil", "consume", "audit"],
        env=environment(later),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    request.addfinalizer(lambda: end(process))
    assert process.stderr is not None
    assert "waiting" in process.stderr.readline()
    admin = AdminClient(later.kafka_client())
    admin.create_topics([NewTopic(later.kafka_topic, 2, 1)])[later.kafka_topic].result(30)
    request.addfinalizer(lambda: admin.delete_topics([later.kafka_topic])[later.kafka_topic].result(30))

    wait_until_ready(process)


def test_a_second_consumer_of_a_directory_is_refused(
    settings: Settings, start: Callable[[], Consumer]
) -> None:
    """A second consumer of the same directory ends with exit code 2 and names the cause."""
    wait_until_ready(start())

    second = subprocess.run(
        [sys.executable, "-m", "postil", "consume", "audit"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (second.returncode, "is being written by another process" in second.stderr) == (2, True)


@pytest.mark.parametrize(
    ("damage", "code", "verdict", "place"),
    [
        (None, 0, "sound", ""),
        ("altered", 1, "TAMPERED", "run default/run-1"),
        ("appended", 2, "inconclusive", "23 bytes from here on"),
    ],
)
def test_audit_verify_exits_with_its_verdict(
    settings: Settings,
    start: Callable[[], Consumer],
    database: psycopg.Connection[tuple[str, int, str]],
    producer: Producer,
    damage: str | None,
    code: int,
    verdict: str,
    place: str,
) -> None:
    """`postil audit verify` exits with 0 for a sound log, 1 for an altered one and 2 for uncovered bytes."""
    wait_until_ready(start())
    publish(settings, producer, record(database, "run-1"))
    assert verify(settings, wait=30).recorded == EVENTS
    segment = next(path for path in settings.audit_path.glob("*/0*.ndjson") if path.stat().st_size)
    if damage == "altered":
        segment.write_bytes(segment.read_bytes().replace(b"note.n2", b"note.n7", 1))
    if damage == "appended":  # the running writer never adds these bytes to the manifest
        segment.write_bytes(segment.read_bytes() + b"bytes without an entry\n")
    command = [sys.executable, "-m", "postil", "audit", "verify", "--wait", "0.2"]

    text = subprocess.run(
        command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    data = subprocess.run(
        [*command, "--json"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (text.returncode, data.returncode, verdict in text.stdout) == (code, code, True)
    assert (json.loads(data.stdout)["sound"], json.loads(data.stdout)["records"]) == (not damage, EVENTS)
    assert place in text.stdout
