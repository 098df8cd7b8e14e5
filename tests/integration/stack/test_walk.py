"""The walk of an annotation, as `docs/concepts/walk.md` describes it, is the one that the programs take."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import confluent_kafka
import httpx
import pytest
from sqlalchemy import create_engine, text

import draw_walk
from postil import Postil
from postil.settings import Settings
from postil_consumers.audit.sink import AuditSink, consumer_group
from postil_consumers.dashboard.testing import ThreadedDashboard
from postil_consumers.runtime.health import Health
from postil_consumers.runtime.kafka_source import KafkaSource
from postil_consumers.runtime.postgres_gaps import PostgresGaps
from postil_consumers.runtime.runner import Runner
from postil_relay.worker import Relay

ROOT = Path(__file__).parents[3]
OURS = tuple(f"{ROOT}/{part}/" for part in ("core", "outbox_relay", "consumers"))
MARKER = "walk.marker"
TIMEOUT = 30.0  # seconds
PROCESSES = {
    "outbox_relay/": "relay", "consumers/postil_consumers/dashboard/": "dashboard", "consumers/": "audit log",
}  # fmt: skip
STEPS = draw_walk.steps()
PACKAGES = tuple(step.room for step in STEPS if step.room.endswith("/"))


class Call(NamedTuple):
    """A completed call that took or returned the annotation."""

    thread: int
    room: str
    function: str
    returns_it: bool


def carries(value: object, depth: int = 6) -> bool:
    """Return whether the annotation's key is in a value, at most `depth` containers deep."""
    if isinstance(value, bytes):
        return MARKER.encode() in value
    if isinstance(value, str):
        return MARKER in value
    if depth == 0:
        return False
    if isinstance(value, confluent_kafka.Message):
        return carries(value.value())
    if isinstance(value, dict):
        return any(carries(part, depth - 1) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return any(carries(part, depth - 1) for part in value)
    if is_dataclass(value):
        return any(carries(getattr(value, name, None), depth - 1) for name in value.__dataclass_fields__)
    return False


class Recorder:
    """Records each call of Postil's own functions that carries the annotation, when it completes."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def profile(self, frame: FrameType, event: str, result: object) -> None:
        """Handle one event of the interpreter's profiler."""
        code = frame.f_code
        if event != "return" or not code.co_filename.startswith(OURS):
            return
        values = frame.f_locals
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 1]
        returns_it = carries(result)
        if returns_it or any(carries(values.get(name)) for name in parameters):
            path = str(Path(code.co_filename).relative_to(ROOT))
            room = next((package for package in PACKAGES if path.startswith(package)), path)
            self.calls.append(Call(threading.get_ident(), room, code.co_qualname, returns_it))

    @contextmanager
    def in_new_threads(self) -> Iterator[None]:
        """Record the threads that start in this context."""
        threading.setprofile(self.profile)
        try:
            yield
        finally:
            threading.setprofile(None)

    @contextmanager
    def in_this_thread(self) -> Iterator[None]:
        """Record this thread in this context."""
        sys.setprofile(self.profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    def of(self, process: str) -> list[Call]:
        """Return the calls of one process: those of the threads that enter one of its rooms."""
        threads = {call.thread: "application" for call in self.calls if call.room.startswith("core/")}
        for call in self.calls:
            for prefix, name in PROCESSES.items():
                if call.room.startswith(prefix):
                    threads[call.thread] = name
                    break
        return [call for call in self.calls if threads[call.thread] == process]


@pytest.fixture
def pipeline(settings: Settings, tmp_path: Path) -> Iterator[tuple[Recorder, str, threading.Event]]:
    """A relay, an audit log and a dashboard, recorded; yields the feed's URL, and a signal: two events were applied."""
    recorder, stop, applied = Recorder(), threading.Event(), threading.Event()
    client, database, topic = settings.kafka_client(), settings.require_database_url(), settings.kafka_topic

    def report(health: Health) -> None:
        if health.applied >= 2:
            applied.set()

    with ExitStack() as stack, recorder.in_new_threads():

        def start(run: Any) -> None:
            ready = threading.Event()
            thread = threading.Thread(target=run, args=(ready,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stop.set)
            assert ready.wait(TIMEOUT)

        start(lambda ready: Relay(database, client, topic, on_ready=ready.set).run(stop))
        sink = AuditSink(tmp_path / "audit")
        stack.callback(sink.shutdown)
        source = KafkaSource(client, topic, consumer_group(topic), instance="walk")
        start(
            lambda ready: Runner(source, sink, PostgresGaps(database), report=report, stop=stop).run(
                ready.set
            )
        )
        dashboard = stack.enter_context(ThreadedDashboard(settings, own_user_only=False))
        assert dashboard.wait_live()
        yield recorder, f"{dashboard.url}/api/feed", applied


def test_an_annotation_takes_the_documented_walk(
    pipeline: tuple[Recorder, str, threading.Event], settings: Settings
) -> None:
    """Each step of the page happens, in order; no room is missing from the page, and none is entered twice."""
    recorder, feed, applied = pipeline
    engine = create_engine(settings.require_database_url().replace("postgresql://", "postgresql+psycopg://"))
    postil = Postil(engine)
    postil.create_run("walker")
    with httpx.stream("GET", feed, timeout=TIMEOUT) as response:
        with engine.begin() as connection:
            connection.execute(text("set local track_functions = 'all'"))
            writer = postil.on(connection)
            with recorder.in_this_thread():
                writer.annotate("walker", {MARKER: True})
            rows = connection.execute(
                text("select funcname, calls from pg_stat_xact_user_functions where schemaname = 'postil'")
            )
            functions = dict(rows.all())
        assert any(MARKER in line for line in response.iter_lines())
    assert applied.wait(TIMEOUT)
    engine.dispose()

    assert {
        step.function: functions.get(step.function) for step in STEPS if step.process == "PostgreSQL"
    } == {
        "_store_annotations": 1,
    }
    for process in ("application", "relay", "dashboard", "audit log"):
        expected = [(step.room, step.function) for step in STEPS if step.process == process]
        calls = recorder.of(process)
        last = next(n for n, call in enumerate(calls) if (call.room, call.function) == expected[-1])
        walk = calls[: last + 1]
        assert [(c.room, c.function) for c in walk if (c.room, c.function) in expected] == expected, process
        visits = [
            room
            for room, _ in groupby(
                call.room for call in walk if call.returns_it or (call.room, call.function) in expected
            )
        ]
        assert visits == [room for room, _ in expected], process


def test_the_picture_of_the_walk_is_current() -> None:
    """The picture is drawn from the table: `make docs` writes it."""
    assert draw_walk.PICTURE.read_text("utf-8") == draw_walk.draw(), "run `make docs`"
