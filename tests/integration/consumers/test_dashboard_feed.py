"""The feed on a real Kafka: committed events arrive once and in order, also for readers that reconnect."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Generator, Iterator

import httpx
import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from postil import Postil
from postil.settings import Settings
from postil_consumers.dashboard.testing import ThreadedDashboard


class Publisher:
    """Publishes events to Kafka in order, as the relay does, when a test asks for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(
            {**settings.kafka_client(), "partitioner": "murmur2_random", "linger.ms": 0}
        )
        self._after = 0

    def publish(self, *, again_from: int | None = None) -> int:
        """Publish the events committed since the last call; returns their number."""
        after = self._after if again_from is None else again_from
        with psycopg.connect(self._settings.require_database_url()) as connection:
            rows = connection.execute(
                "select position, tenant, run_id, postil.envelope(e) from postil.event e"
                " where position > %s order by position",
                [after],
            ).fetchall()
        for position, tenant, run_id, envelope in rows:
            self._producer.produce(self._settings.kafka_topic, key=f"{tenant}/{run_id}", value=envelope)
            self._after = position
        self._producer.flush(20)
        return len(rows)


@pytest.fixture
def postil(settings: Settings) -> Iterator[Postil]:
    """A client of the same database."""
    postil = Postil(settings.require_database_url())
    yield postil
    postil.close()


@pytest.fixture
def publisher(settings: Settings) -> Publisher:
    """A publisher of the same database and topic."""
    return Publisher(settings)


@pytest.fixture
def dashboard(settings: Settings) -> Iterator[ThreadedDashboard]:
    """A dashboard whose feed is connected to the topic."""
    with ThreadedDashboard(settings) as dashboard:
        assert dashboard.wait_live()
        yield dashboard


class Reader:
    """Reads the stream as a page does, and remembers the id to resume from."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.last_id: str | None = None

    def events(self) -> Generator[tuple[str, dict[str, object]], None, None]:
        """Yield (kind, data) of each event, until the stream ends or the caller leaves."""
        headers = {} if self.last_id is None else {"last-event-id": self.last_id}
        with httpx.stream("GET", f"{self._url}/api/feed", headers=headers, timeout=20) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            kind, data, event_id = "message", "", None
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "id":
                    event_id = value
                elif line == "":
                    self.last_id = event_id or self.last_id
                    yield kind, json.loads(data)
                    kind, data, event_id = "message", "", None


def test_reconnecting_reader_gets_each_event_once(
    dashboard: ThreadedDashboard, postil: Postil, publisher: Publisher
) -> None:
    """A reader that leaves and resumes at random places gets every event of every run once and in order."""
    runs = [f"run {n}" for n in range(8)]
    reader = Reader(dashboard.url)
    ready, chance = threading.Event(), random.Random(3)

    def write() -> None:
        ready.wait(20)
        for run in runs:
            postil.create_run(run)
        for n in range(40):
            for run in runs:
                postil.annotate(run, {"x.n": n})
            publisher.publish()

    writer = threading.Thread(target=write)
    writer.start()
    expected = len(runs) * 41
    received: list[tuple[str, int]] = []
    connections = 0
    while len(received) < expected:
        connections += 1
        leave_after = chance.randint(1, 60)
        for kind, event in reader.events():
            if kind == "hello":
                ready.set()
                continue
            assert kind == "message", (kind, event)
            received.append((str(event["runid"]), int(str(event["runseq"]))))
            leave_after -= 1
            if leave_after == 0 or len(received) == expected:
                break
    writer.join(20)
    assert connections > 3
    for run in runs:
        assert [seq for run_id, seq in received if run_id == run] == list(range(1, 42))


def test_repeated_events_are_not_sent_again(
    dashboard: ThreadedDashboard, postil: Postil, publisher: Publisher
) -> None:
    """Events that the relay published twice reach a reader once."""
    stream = Reader(dashboard.url).events()
    assert next(stream)[0] == "hello"
    postil.create_run("a")
    postil.create_run("b")
    publisher.publish()
    publisher.publish(again_from=0)
    postil.create_run("c")
    publisher.publish()
    assert [next(stream)[1]["runid"] for _ in range(3)] in (["a", "b", "c"], ["b", "a", "c"], ["a", "c", "b"])
    stream.close()


def test_event_arrives_as_kafka_carries_it(
    dashboard: ThreadedDashboard, postil: Postil, publisher: Publisher
) -> None:
    """The feed sends the same envelope as the route of the event returns."""
    stream = Reader(dashboard.url).events()
    next(stream)
    postil.create_run("é\u202e", input={"n": 1, "text": "a\nb"})
    publisher.publish()
    event = next(stream)[1]
    envelope = httpx.get(f"{dashboard.url}/api/runs/~C3~A9~E2~80~AE/events/1").json()
    assert event == envelope
    stream.close()


def test_events_of_other_tenants_are_not_sent(
    dashboard: ThreadedDashboard, settings: Settings, postil: Postil, publisher: Publisher
) -> None:
    """The feed of one tenant leaves out the events of the others."""
    with psycopg.connect(settings.require_database_url(), autocommit=True) as connection:
        connection.execute("select postil.create_tenant('acme')")
    stream = Reader(dashboard.url).events()
    next(stream)
    other_postil = Postil(settings.require_database_url(), tenant="acme")
    other_postil.create_run("secret")
    other_postil.close()
    publisher.publish()
    postil.create_run("ours")
    publisher.publish()
    assert next(stream)[1]["runid"] == "ours"
    stream.close()


def test_server_restart_resets_readers(settings: Settings, postil: Postil, publisher: Publisher) -> None:
    """A reader that resumes at a new server gets ``reset``; a stopping server ends its streams."""
    with ThreadedDashboard(settings) as before:
        assert before.wait_live()
        reader = Reader(before.url)
        stream = reader.events()
        next(stream)
        postil.create_run("a")
        publisher.publish()
        next(stream)
    assert list(stream) == []  # a stop ends the streams and does not wait for the readers
    with ThreadedDashboard(settings) as after:
        resumed_reader = Reader(after.url)
        resumed_reader.last_id = reader.last_id
        assert next(resumed_reader.events())[0] == "reset"


def test_feed_waits_for_its_topic(settings: Settings, postil: Postil) -> None:
    """Without its topic the feed is connecting; once the topic is created, events arrive."""
    topic = f"later.{uuid.uuid4().hex[:8]}"
    later = settings.model_copy(update={"kafka_topic": topic})
    admin = AdminClient(later.kafka_client())
    with ThreadedDashboard(later) as dashboard:
        stream = Reader(dashboard.url).events()
        assert next(stream)[0] == "hello"
        state = httpx.get(f"{dashboard.url}/api/pipeline").json()
        assert (state["feed"]["state"], state["kafka"]["state"]) == ("connecting", "waiting")
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
        assert dashboard.wait_live()
        postil.create_run("a")
        Publisher(later).publish()
        assert next(stream)[1]["runid"] == "a"
        stream.close()
    admin.delete_topics([topic])[topic].result(20)


def test_recreated_topic_resets_readers(settings: Settings, postil: Postil, kafka_topic: str) -> None:
    """If the topic is deleted and created again, connected readers get ``reset``."""
    admin = AdminClient(settings.kafka_client())
    with ThreadedDashboard(settings) as dashboard:
        assert dashboard.wait_live()
        stream = Reader(dashboard.url).events()
        next(stream)
        postil.create_run("a")
        Publisher(settings).publish()
        next(stream)
        admin.delete_topics([kafka_topic])[kafka_topic].result(20)
        admin.create_topics([NewTopic(kafka_topic, 6, 1)])[kafka_topic].result(20)
        assert next(stream)[0] == "reset"
        stream.close()
