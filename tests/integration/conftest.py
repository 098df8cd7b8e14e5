"""What the integration tests share: somebody who writes, somebody who reads what was recorded, and the command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, cast
from urllib.parse import urlsplit

import psycopg
import pytest
import structlog
import typer
from psycopg.types.json import Jsonb

from postil import AsyncPostil, Postil, user
from postil import cli as postil_cli
from postil_stack.servers.postgres import EmbeddedPostgres


class Record:
    """What the database holds, read past the product with plain SQL."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of any statement; dictionaries and lists go in as jsonb."""
        adapted = [Jsonb(p) if isinstance(p, (dict, list)) else p for p in parameters]
        cursor = self._connection.execute(cast("LiteralString", query), adapted)
        return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: object) -> Any:
        """The only value of the only row."""
        ((value,),) = self.sql(query, *parameters)
        return value

    def events(self, run_id: str, *, tenant: str = "default") -> list[tuple[str, dict[str, Any]]]:
        """Type and data of a run's events, in order; their numbers are 1, 2, 3 … or the test fails here."""
        rows = self.sql(
            "select run_seq, type, data from postil.event where tenant = %s and run_id = %s order by position",
            tenant,
            run_id,
        )
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1)), (
            "run_seq is gapless, and position follows it"
        )
        return [(row[1], row[2]) for row in rows]

    def types(self, run_id: str) -> list[str]:
        """The types of a run's events, in order."""
        return [type_ for type_, _ in self.events(run_id)]

    def keys(self, run_id: str) -> list[str]:
        """The keys of a run's annotations, in order."""
        return [data["key"] for type_, data in self.events(run_id) if type_ == "annotation:created"]

    def status(self, run_id: str) -> str:
        """The run's state."""
        return str(self.one("select status from postil.run where id = %s", run_id))

    def traces(self) -> tuple[Any, ...]:
        """Everything a refused write must leave as it was: the rows, and the numbers drawn."""
        return self.sql(
            """
            select (select count(*) from postil.event), (select coalesce(sum(head), 0) from postil.run),
                   (select count(*) from postil.annotation), (select count(*) from postil.stage),
                   (select count(*) from postil.tool_call), (select count(*) from postil.interaction),
                   (select array_agg(id || status order by id) from postil.run),
                   (select array_agg(id || status order by id) from postil.stage)
            """
        )[0]


# One database for all tests of the write path in a process: each works on runs of its own.


@pytest.fixture(scope="session")
def write_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A database with the schema in it, shared by tests that keep to runs of their own."""
    name = f"write_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(cast("LiteralString", f"create database {name} template postil_template"))
        try:
            yield postgres_server.url_of(name)
        finally:
            connection.execute(cast("LiteralString", f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def record(write_url: str) -> Iterator[Record]:
    """Reads the shared database."""
    with psycopg.connect(write_url, autocommit=True) as connection:
        yield Record(connection)


@pytest.fixture(scope="session")
def postil(write_url: str) -> Iterator[Postil]:
    """Writes into the shared database."""
    writer = Postil(write_url)
    yield writer
    writer.close()


@pytest.fixture
async def async_postil(write_url: str) -> AsyncIterator[AsyncPostil]:
    """Writes into the shared database, asynchronously."""
    writer = AsyncPostil(write_url)
    yield writer
    await writer.close()


@pytest.fixture
def run(postil: Postil) -> str:
    """A run of the test's own."""
    run_id = f"run-{uuid.uuid4().hex[:12]}"
    postil.create_run(run_id, name="a run")
    return run_id


# What the tests of the commands share: something to point them at, and two ways to run them.


class World:
    """A database with some runs in it, a directory of files, and two ports."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        url: str,
        bare_url: str,
        directory: Path,
        ports: tuple[str, str],
    ) -> None:
        self._connection = connection
        self.url, self.bare_url = url, bare_url  # the second without the schema
        self.directory = directory
        self.closed, self.busy = ports  # nobody listens on the first, somebody does on the second
        mark = uuid.uuid4().hex[:8]
        self.tenant = f"other-{mark}"
        self.open, self.answered, self.cancelled, self.foreign = (
            f"{name}-{mark}" for name in ("open", "answered", "cancelled", "foreign")
        )
        connection.execute("select postil.create_tenant(%s)", [self.tenant])
        ours, theirs = Postil(url), Postil(url, tenant=self.tenant)
        for writer, run_id in (
            (ours, self.open),
            (ours, self.answered),
            (ours, self.cancelled),
            (theirs, self.foreign),
        ):
            writer.create_run(run_id)
            writer.ask(run_id, "Go on?", interaction_id="q")
        ours.resolve_interaction(self.answered, "q", {"outcome": "accept"}, actor=user("ada"))
        ours.cancel_run(self.cancelled)
        ours.close()
        theirs.close()

    def with_(self, **changes: str) -> str:
        """The database's URL with other parts."""
        return urlsplit(self.url)._replace(**changes).geturl()

    def left(self) -> tuple[Any, ...]:
        """All that a refused command must leave as it was: the rows, the databases, and the files with their content."""
        rows = self._connection.execute(
            """
            select (select count(*) from postil.event), (select coalesce(sum(head), 0) from postil.run),
                   (select count(*) from postil.annotation), (select count(*) from postil.tenant),
                   (select count(*) from postil.parked_run), (select count(*) from pg_database),
                   (select array_agg(id || status order by id) from postil.run),
                   (select array_agg(run_id || id || status || coalesce(answer::text, '') order by run_id, id)
                      from postil.interaction)
            """
        ).fetchone()
        files = {
            str(path): path.read_bytes() if path.is_file() else path.lstat().st_mode
            for path in sorted(self.directory.rglob("*"))
        }
        return rows, files

    def resolved(self, argument: Any) -> str | bytes:
        """The argument, or what it is in this world."""
        return argument(self) if callable(argument) else argument

    def environment(self, given: dict[str, Any]) -> dict[str, str | bytes]:
        """This database, no Kafka, a data directory that is not there; and what is `given`."""
        found: dict[str, str | bytes] = {
            "POSTIL_DATABASE_URL": self.url,
            "POSTIL_DATA_DIR": str(self.directory / "data"),
            "POSTIL_CONFIG": os.devnull,
            "PYTHONIOENCODING": "utf-8:strict",  # most terminals'; in the C locale Python lets everything through
        }
        return found | {name: self.resolved(value) for name, value in given.items()}


@dataclass(frozen=True)
class Answer:
    """What a command said before it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All of it in one line, without the frames around usage errors."""
        return " ".join((self.out + self.err).replace("│", " ").split())

    def assert_refuses(self, code: int, *says: str) -> None:
        """It names what is wrong and what to do; nothing in it is Python's or a driver's, and no secret."""
        assert code == self.code, self
        for said in says:
            assert said in self.text, self
        for never in ("Traceback", "psycopg.", "sqlalche.me", "KafkaError{", "hush"):
            assert never not in self.text, self
        if code == 2 and self.err and "Usage:" not in self.err:
            what, advice, *_ = [line for line in self.err.splitlines() if line.strip()]
            assert what.startswith(("error: ", "    ")), self
            assert advice.startswith("  "), self


@pytest.fixture(scope="module")
def world(
    write_url: str, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Where the commands of a module of tests are tried."""
    bare = f"bare_{uuid.uuid4().hex[:12]}"
    with (
        psycopg.connect(write_url, autocommit=True) as connection,
        socket.socket() as closed,
        socket.create_server(("127.0.0.1", 0)) as busy,
    ):
        closed.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, and not listened on
        connection.execute(cast("LiteralString", f"create database {bare} template template1"))
        ports = str(closed.getsockname()[1]), str(busy.getsockname()[1])
        directory = tmp_path_factory.mktemp("world")
        yield World(connection, write_url, postgres_server.url_of(bare), directory, ports)
        connection.execute(cast("LiteralString", f"drop database {bare} with (force)"))


@pytest.fixture(scope="session")
def app() -> typer.Typer:
    """The whole command line, put together once."""
    return postil_cli.complete_app()


@pytest.fixture
def command(
    app: typer.Typer, world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """Run a command line in this process, through `main`, as the shell would."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    logs = structlog.get_config()
    monkeypatch.chdir(world.directory)
    monkeypatch.setattr(postil_cli, "complete_app", lambda: app)

    def run(*arguments: Any, **given: Any) -> Answer:
        for name, value in world.environment(given).items():
            monkeypatch.setenv(name, os.fsdecode(value))
        monkeypatch.setattr(sys, "argv", ["postil", *(os.fsdecode(world.resolved(one)) for one in arguments)])
        with pytest.raises(SystemExit) as ended:
            postil_cli.main()
        return Answer(int(ended.value.code or 0), *capfd.readouterr())

    yield run
    structlog.configure(**logs)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def start(world: World) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command line as a process of its own, with bytes where its arguments are bytes; it is killed at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: Any, **given: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "postil", *map(world.resolved, arguments)],
            env=clean | world.environment(given),
            cwd=world.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def shell(start: Callable[..., subprocess.Popen[bytes]]) -> Callable[..., Answer]:
    """Run a command line in a process of its own, to its end."""

    def run(*arguments: Any, **given: Any) -> Answer:
        process = start(*arguments, **given)
        out, err = process.communicate(timeout=30)
        return Answer(process.returncode, out.decode(), err.decode())

    return run
