"""The relay as a process that is killed, paused and cut off at every step. The topic still has every event, in order per run."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from postil.model.envelope import parse
from postil.postgres.migrate import migrate
from postil.settings import Settings, load_settings
from postil_relay.worker import FAILPOINTS
from postil_stack.servers.kafka import EmbeddedKafka
from postil_stack.servers.postgres import EmbeddedPostgres

DEADLINE = 60.0


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment without any setting of Postil but these."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    given = settings.model_dump(exclude_none=True)
    return others | {f"POSTIL_{name.upper()}": str(value) for name, value in given.items()}


@dataclass
class RelayProcess:
    """`postil relay` as a supervisor runs it."""

    settings: Settings
    failpoint: str | None = None

    def __post_init__(self) -> None:
        of_relay = {"POSTIL_FAILPOINT": self.failpoint} if self.failpoint else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "postil", "relay"],
            env=environment(self.settings) | of_relay,
            cwd=self.settings.data_dir,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.words()

    def words(self) -> str:
        """Return what it logs until it ends."""
        return self.process.communicate(timeout=DEADLINE)[1]

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        words = self.words()
        assert self.process.returncode == 0, words
        return words

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@dataclass
class Stage:
    """A database to write to and a topic to read, with the rule every consumer follows."""

    settings: Settings
    relays: list[RelayProcess] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    messages: int = 0

    def __post_init__(self) -> None:
        self.consumer: Consumer | None = None

    def relay(self, failpoint: str | None = None) -> RelayProcess:
        relay = RelayProcess(self.settings, failpoint)
        self.relays.append(relay)
        return relay

    def write(self, *runs: str, times: int = 1, value: str = "v") -> None:
        """`times` transactions, each appending an event to every one of `runs`."""
        with psycopg.connect(self.settings.require_database_url(), autocommit=True) as connection:
            for run in runs:
                connection.execute(
                    """insert into postil.run (tenant, id, lane, status, name, root_id,
                                               trigger_source, trigger_action, root_source, recorded_at)
                       values ('default', %s, 7, 'running', 'x', 'x', 'sdk', 'trigger', 'sdk', now())
                       on conflict do nothing""",
                    [run],
                )
            for _ in range(times):
                connection.execute(
                    """with r as (update postil.run set head = head + 1 where id = any(%s) returning *)
                       insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run,
                                                 recorded_at, data)
                       select r.lane, r.tenant, r.id, r.head, 'annotation:created', 'annotations/x', 1, 'x', now(),
                              jsonb_build_object('value', %s::text)
                       from r""",
                    [list(runs), value],
                )

    def heads(self) -> dict[str, int]:
        return dict(self.query("select id, head from postil.run"))

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.require_database_url(), autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()

    def read_until(self, complete: Callable[[dict[str, int]], bool]) -> None:
        """Read on until what was read is `complete`; an event that leaves a gap is an error at once."""
        if self.consumer is None:
            self.consumer = Consumer({
                **self.settings.kafka_client(), "group.id": "none", "enable.auto.commit": False,
                "auto.offset.reset": "earliest", "topic.metadata.refresh.interval.ms": 500,
                "fetch.message.max.bytes": 64 << 20, "log_level": 0,
            })  # fmt: skip
            topic = self.settings.kafka_topic
            self.consumer.assign([TopicPartition(topic, n, 0) for n in range(self.settings.kafka_partitions)])
        deadline = time.monotonic() + DEADLINE
        while not complete(self.last):
            assert time.monotonic() < deadline, f"read {self.last} of {self.heads()}"
            message = self.consumer.poll(0.2)
            if message is not None and message.error() is None:
                self._apply(message)

    def read_all(self) -> None:
        """Read until every event of the database was there."""
        heads = self.heads()
        self.read_until(lambda last: all(last.get(run, 0) >= head for run, head in heads.items()))

    def _apply(self, message: Message) -> None:
        value = message.value()
        assert value is not None
        event = parse(value)
        assert message.key() == f"default/{event.run_id}".encode()
        assert dict(message.headers() or []) == {"content-type": b"application/cloudevents+json"}
        last = self.last.get(event.run_id, 0)
        assert event.run_seq <= last + 1, f"{event.run_id}: {event.run_seq} after {last}"
        self.last[event.run_id] = max(last, event.run_seq)
        self.messages += 1

    def close(self) -> None:
        for relay in self.relays:
            relay.end()
        if self.consumer is not None:
            self.consumer.close()


@pytest.fixture
def stage(settings: Settings) -> Iterator[Stage]:
    stage = Stage(settings)
    yield stage
    stage.close()


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_relay_killed_at_any_step_loses_nothing(stage: Stage, point: str) -> None:
    """After a kill at each failpoint, the next relay publishes every event in order."""
    runs = [f"run-{n}" for n in range(20)]
    stage.write(*runs, times=5)
    ended = stage.relay(point)
    if point == "relay.drained":
        ended.ready()
        ended.process.send_signal(signal.SIGTERM)
    words = ended.words()
    assert ended.process.returncode == -signal.SIGKILL, words
    stage.write(*runs, times=5)
    stage.relay().ready()
    stage.write(*runs)
    stage.read_all()


def test_a_drained_relay_repeats_nothing(stage: Stage) -> None:
    """A relay that drains releases its lease, and the next one sends no event again."""
    stage.write("a", "b", times=50)
    first = stage.relay()
    first.ready()
    stage.read_all()
    first.stop()
    assert stage.query("select distinct owner, lease_until from postil.relay_lane") == [(None, None)]
    stage.write("a", "b", times=50)
    stage.relay().ready()
    stage.read_all()
    assert stage.messages == 200


def test_a_standby_takes_over_from_a_paused_relay(stage: Stage) -> None:
    """A standby takes over once the lease of a paused relay has ended, and the paused one then stands by."""
    stage.write("a", times=10)
    first = stage.relay()
    first.ready()
    stage.read_all()
    second = stage.relay()
    second.ready()
    first.process.send_signal(signal.SIGSTOP)
    stage.write("a", "b", times=10)
    stage.read_all()
    first.process.send_signal(signal.SIGCONT)
    stage.write("a", "b", times=10)
    stage.read_all()
    assert stage.query("select max(epoch) from postil.relay_lane") == [(2,)]
    assert "interrupted" in first.stop()
    second.stop()


def test_an_outage_of_kafka_loses_nothing(stage: Stage, kafka_server: EmbeddedKafka) -> None:
    """Events written before, during and after an outage of Kafka are all published in order."""
    stage.relay().ready()
    stage.write("a", "b", times=20)
    stage.read_all()
    kafka_server.stop()
    stage.write("a", "b", times=20)
    kafka_server.start()
    stage.write("a", "b", times=20)
    stage.read_all()


def test_a_crash_of_postgres_loses_nothing(
    kafka_server: EmbeddedKafka, kafka_topic: str, tmp_path: Path
) -> None:
    """After Postgres is killed during publishing and starts again, every event is published in order."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    with server:
        migrate(server.url)
        stage = Stage(
            load_settings(
                database_url=server.url, **kafka_server.settings(), kafka_topic=kafka_topic, data_dir=tmp_path
            )
        )
        try:
            stage.relay().ready()
            stage.write("a", "b", times=100)
            stage.read_until(lambda last: last.get("a", 0) > 10)
            server.kill()
            server.start()
            stage.write("a", "b", times=20)
            stage.read_all()
        finally:
            stage.close()


def test_the_schema_may_appear_after_the_relay_starts(stage: Stage, empty_database_url: str) -> None:
    """A relay that starts before the migration waits for the schema, then publishes."""
    stage.settings = stage.settings.model_copy(update={"database_url": empty_database_url})
    relay = stage.relay()
    assert relay.process.stderr is not None
    assert "waiting" in relay.process.stderr.readline(), "the schema is not there yet"
    migrate(empty_database_url)
    relay.ready()
    stage.write("a")
    stage.read_all()


def set_largest_message(settings: Settings, size: int) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        settings.kafka_topic,
        incremental_configs=[
            ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        ],
    )
    admin = AdminClient(settings.kafka_client())
    admin.incremental_alter_configs([resource])[resource].result(30)


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postil", *arguments],
        env=environment(settings), cwd=settings.data_dir, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_too_large_event_parks_only_its_run(stage: Stage) -> None:
    """A too large event parks its run, also over a restart; other runs continue; unparking publishes the rest."""
    set_largest_message(stage.settings, 200_000)
    noise = base64.b64encode(os.urandom(300_000)).decode()  # does not compress
    stage.write("good", "bad", times=3)
    stage.write("bad", value=noise)
    relay = stage.relay()
    relay.ready()
    stage.write("good", "bad", times=3)
    stage.read_until(lambda last: last == {"good": 6, "bad": 3})
    wait_for(lambda: stage.query("select run_id, run_seq from postil.parked_run") == [("bad", 4)])
    parked = command(stage.settings, "relay", "parked", "--json")
    assert parked.returncode == 1
    assert [(run["run_id"], run["run_seq"], run["held"]) for run in json.loads(parked.stdout)] == [
        ("bad", 4, 4)
    ]

    # It stays parked over a restart, and other runs continue.
    relay.stop()
    stage.relay().ready()
    stage.write("good", "bad")
    stage.read_until(lambda last: last == {"good": 7, "bad": 3})

    set_largest_message(stage.settings, 2_000_000)
    assert command(stage.settings, "relay", "unpark", "bad").returncode == 0
    stage.write("good", "bad")
    stage.read_all()
    wait_for(lambda: stage.query("select count(*) from postil.parked_run") == [(0,)])
    status = command(stage.settings, "relay", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["healthy"]) == (0, True)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came about"


def test_unparking_a_run_that_is_not_parked_is_an_error(stage: Stage) -> None:
    """`postil relay unpark` exits with 2 and names the run if it is not parked."""
    done = command(stage.settings, "relay", "unpark", "unknown")
    assert done.returncode == 2
    assert "Run unknown of tenant default is not parked." in done.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("insert into postil.relay_origin (system_identifier) values (1)", "a restored or copied database"),
        ("update postil.relay_lane set lo = '999999999999:999999999999:'", "restored to an earlier time"),
    ],
)
def test_cursors_of_another_server_are_refused(stage: Stage, change: str, why: str) -> None:
    """A relay whose cursors belong to another server or a later time ends with 2 and the reason."""
    with psycopg.connect(stage.settings.require_database_url(), autocommit=True) as connection:
        connection.execute(change)
    relay = stage.relay()
    words = relay.words()
    assert relay.process.returncode == 2
    assert why in words
    assert "Traceback" not in words
