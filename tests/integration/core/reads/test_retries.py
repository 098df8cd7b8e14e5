"""A read of the HTTP API is sent again after a lost connection, and not after a timeout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from postil.errors import Unavailable
from postil.http import database
from postil.http.database import Database
from postil.postgres.statement import Statement


@pytest.fixture
def counted_url(empty_database_url: str) -> str:
    """A database with the sequence ``sent``, which no rollback sets back."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("create sequence sent")
    return empty_database_url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open the API's access to the database, and close it at the end."""
    access = Database(url, "test")
    try:
        yield access
    finally:
        await access.close()


def times_sent(url: str) -> int:
    """Return how many statements have drawn a number of the sequence."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select case when is_called then last_value else 0 end from sent").fetchone()
    assert row is not None
    return int(row[0])


async def test_a_read_that_timed_out_is_not_sent_again(
    counted_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second try of a statement that took too long would add to the load that made it slow."""
    monkeypatch.setattr(database, "TIMEOUT", 1.0)
    async with opened(counted_url) as access:
        with pytest.raises(Unavailable, match="did not respond within 1 s"):
            await access.fetch(Statement("select nextval('sent'), pg_sleep(60)", {}, len))
    assert times_sent(counted_url) == 1


async def test_a_read_whose_connection_was_lost_is_sent_again(counted_url: str) -> None:
    """The read gets its result on a new connection."""
    end_itself = "select case when nextval('sent') = 1 then pg_terminate_backend(pg_backend_pid()) end"
    async with opened(counted_url) as access:
        assert await access.fetch(Statement(end_itself, {}, len)) == 1
    assert times_sent(counted_url) == 2
