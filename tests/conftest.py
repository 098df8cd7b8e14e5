"""Real servers for the tests: one PostgreSQL and one Kafka per test process, a database and a topic per test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from postil.postgres.migrate import migrate
from postil.settings import Settings, load_settings
from postil_stack.servers import jars
from postil_stack.servers.kafka import EmbeddedKafka, train
from postil_stack.servers.postgres import EmbeddedPostgres, postgres_version

# A developer's own settings, files and running stack must not leak into a test.
for name in [name for name in os.environ if name.startswith(("POSTIL_", "PG"))]:
    del os.environ[name]
os.environ["POSTIL_DATA_DIR"] = "/nonexistent/postil-tests"
os.environ["POSTIL_CONFIG"] = os.devnull

TEMPLATE = "postil_template"
PARTITIONS = 6

# Ends the servers when the process that started them is gone, however it went: the pipe's end tells.
REAPER = """
import os, signal, sys
pids = [int(line) for line in sys.stdin]
for pid in pids:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


def pytest_report_header() -> str:
    return f"servers: PostgreSQL {postgres_version()}, Kafka {jars.kafka_version()}"


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Tests left out for want of a browser, here and, with xdist, in its workers, who tell when they end.
left_out: set[str] = set()


def find_chromium() -> str | None:
    """The browser to test with: CHROMIUM, or the first on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_chromium():
        return
    out = [item for item in items if item.get_closest_marker("browser")]
    left_out.update(item.nodeid for item in out)
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = sorted(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    left_out.update(getattr(node, "workeroutput", {}).get("left_out", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not left_out:
        return
    files = sorted({node.partition("::")[0] for node in left_out})
    terminalreporter.section("no browser")
    terminalreporter.write_line(
        f"{len(left_out)} tests were left out for want of a Chromium: {', '.join(files)}.", yellow=True
    )
    terminalreporter.write_line(
        "Install one (Debian: apt-get install chromium), or set CHROMIUM to its path."
    )


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; without one no test that needs it is collected."""
    found = find_chromium()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def end_with_session() -> Iterator[Callable[[int], None]]:
    """Have the process with this id killed when the session ends, or is killed itself."""
    reaper = subprocess.Popen(
        [sys.executable, "-c", REAPER], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    assert reaper.stdin is not None
    pipe = reaper.stdin

    def register(pid: int) -> None:
        pipe.write(f"{pid}\n")
        pipe.flush()

    yield register
    pipe.close()
    reaper.wait()


@pytest.fixture(scope="session")
def postgres_server(
    tmp_path_factory: pytest.TempPathFactory, end_with_session: Callable[[int], None]
) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test process's own, with a migrated template database."""
    server = EmbeddedPostgres(
        tmp_path_factory.mktemp("postgres"),
        settings={"max_prepared_transactions": "16", "max_connections": "200"},
    )
    end_with_session(server.spawn().pid)
    server.wait_ready()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}")
        migrate(server.url_of(TEMPLATE))
        yield server
    finally:
        server.stop()


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database with nothing in it."""
    yield from _database(postgres_server, "template1")


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database with the schema in it."""
    yield from _database(postgres_server, TEMPLATE)


def _database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        try:
            yield server.url_of(name)
        finally:
            left = connection.execute(
                "select gid from pg_prepared_xacts where database = %s", [name]
            ).fetchall()
            if left:  # a prepared transaction outlives its session and would keep the database
                with psycopg.connect(server.url_of(name), autocommit=True) as inside:
                    for (gid,) in left:
                        inside.execute(f"rollback prepared '{gid}'")
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def kafka_server(
    tmp_path_factory: pytest.TempPathFactory, end_with_session: Callable[[int], None]
) -> Iterator[EmbeddedKafka]:
    """A Kafka of this test process's own."""
    train()  # once per user: every later start is quicker by two seconds
    server = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
    end_with_session(server.spawn().pid)
    server.wait_ready()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def kafka_topic(kafka_server: EmbeddedKafka) -> Iterator[str]:
    """A topic of the test's own, with six partitions."""
    name = f"test.{uuid.uuid4().hex[:12]}"
    admin = AdminClient(load_settings(**kafka_server.settings()).kafka_client())
    admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])[name].result(30)
    try:
        yield name
    finally:
        admin.delete_topics([name])[name].result(30)


@pytest.fixture
def settings(database_url: str, kafka_server: EmbeddedKafka, kafka_topic: str, tmp_path: Path) -> Settings:
    """Settings that point at this test's own database, topic and directory."""
    return load_settings(
        database_url=database_url,
        **kafka_server.settings(),
        kafka_topic=kafka_topic,
        kafka_partitions=PARTITIONS,
        data_dir=tmp_path,
        http_port=0,
    )
