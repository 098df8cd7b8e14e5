"""What the tests of the write path share: somebody who writes, and somebody who reads what was recorded."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, LiteralString, cast

import psycopg
import pytest
from psycopg.types.json import Jsonb

from postil import AsyncPostil, Postil
from postil.embedded.postgres import EmbeddedPostgres


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
