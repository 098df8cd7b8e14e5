"""Installing and upgrading the schema: repeated, concurrent, over older versions, and refused with a reason."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from typing import LiteralString, cast

import psycopg
import pytest

from postil import Postil, errors
from postil.postgres.migrate import Migrated, latest_revision, migrate
from postil_stack.servers.postgres import EmbeddedPostgres

FUNCTIONS = """
select array_agg(p.oid::regprocedure::text order by p.oid::regprocedure::text) from pg_proc p
 where p.pronamespace = 'postil'::regnamespace
"""


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """Execute a statement and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(cast("LiteralString", statement))
        return cursor.fetchall() if cursor.description else []


def test_an_empty_database_gets_the_latest_revision(empty_database_url: str) -> None:
    """`migrate` brings an empty database to the latest revision, and a run can be written there."""
    assert migrate(empty_database_url) == Migrated(before=None, after=latest_revision())
    postil = Postil(empty_database_url)
    with postil.run("first") as run:
        run.annotate({"a": 1})
    postil.close()
    assert sql(empty_database_url, "select count(*) from postil.event") == [(3,)]


def test_a_second_migration_changes_nothing(database_url: str) -> None:
    """A second `migrate` reports no change and leaves the functions as they are."""
    functions = sql(database_url, FUNCTIONS)
    assert not migrate(database_url).changed
    assert sql(database_url, FUNCTIONS) == functions


def test_concurrent_migrations_install_the_schema_once(empty_database_url: str) -> None:
    """Of four concurrent calls of `migrate` one installs the schema, and the others find it installed."""
    outcomes: list[Migrated | BaseException] = []
    barrier = threading.Barrier(4)

    def install() -> None:
        barrier.wait(30)
        try:
            outcomes.append(migrate(empty_database_url))
        except BaseException as error:  # noqa: BLE001 (the test reads it after the join)
            outcomes.append(error)

    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latest = latest_revision()
    assert outcomes.count(Migrated(None, latest)) == 1
    assert outcomes.count(Migrated(latest, latest)) == 3


def test_the_hosts_schema_and_migrations_are_not_touched(
    empty_database_url: str,
) -> None:
    """All objects are in the schema `postil`, and the host's own `alembic_version` keeps its value."""
    sql(
        empty_database_url,
        "create table alembic_version (version_num text); insert into alembic_version values ('theirs')",
    )
    migrate(empty_database_url)
    assert sql(empty_database_url, "select * from public.alembic_version") == [("theirs",)]
    assert sql(empty_database_url, "select * from postil.alembic_version") == [(latest_revision(),)]
    public_tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname <> 'alembic_version'"
    assert sql(empty_database_url, public_tables) == [(0,)]


def test_functions_of_an_older_version_are_replaced(database_url: str) -> None:
    """`migrate` removes functions of an older version, also those with another signature or return type."""
    functions = sql(database_url, FUNCTIONS)
    sql(
        database_url,
        """
        create function postil.annotate(tenant text, run_id text) returns integer language sql as 'select 1';
        create function postil.no_longer_there() returns integer language sql as 'select 1';
        drop function postil.create_tenant;
        create function postil.create_tenant(tenant text) returns text language sql as 'select ''older''';
        """,
    )
    migrate(database_url)
    assert sql(database_url, FUNCTIONS) == functions
    assert sql(database_url, "select postil.create_tenant('t')") == [(True,)]


def test_a_view_that_uses_a_postil_function_survives(database_url: str) -> None:
    """`migrate` keeps a host's view that depends on a Postil function."""
    sql(database_url, "create view public.theirs as select postil._rfc3339(now()) as t")
    migrate(database_url)
    assert len(sql(database_url, "select t from public.theirs")) == 1


def test_events_survive_a_migration(database_url: str) -> None:
    """Events written before `migrate` stay, and the next event continues their run_seq."""
    postil = Postil(database_url)
    postil.create_run("run")
    postil.annotate("run", {"a": 1})
    migrate(database_url)
    postil.annotate("run", {"b": 1})
    assert sql(database_url, "select run_seq from postil.event order by position") == [(1,), (2,), (3,)]
    postil.close()


def test_a_schema_of_a_later_version_is_refused(database_url: str) -> None:
    """`migrate` raises `SchemaNewer` for a later revision and restores none of its functions."""
    sql(
        database_url,
        "update postil.alembic_version set version_num = '9999'; drop function postil.create_tenant",
    )
    with pytest.raises(errors.SchemaNewer, match="9999") as raised:
        migrate(database_url)
    assert "Upgrade Postil" in raised.value.advice
    assert sql(database_url, "select to_regproc('postil.create_tenant')") == [(None,)]


@pytest.fixture
def plain_role(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The name of a role that can log in and has no other right."""
    name = f"plain_{uuid.uuid4().hex[:8]}"
    sql(postgres_server.url, f"create role {name} login password 'secret'")
    yield name
    sql(postgres_server.url, f"drop role {name}")


@pytest.mark.parametrize("database", ["empty_database_url", "database_url"])
def test_missing_rights_are_refused_with_advice(
    request: pytest.FixtureRequest, plain_role: str, database: str
) -> None:
    """A role without rights gets `WriteRefused` with the advice to grant them, and cannot write."""
    url: str = request.getfixturevalue(database)
    role_url = f"postgresql://{plain_role}:secret@{url.partition('@')[2]}"
    with pytest.raises(errors.WriteRefused, match="permission denied") as raised:
        migrate(role_url)
    assert "Grant" in raised.value.advice
    postil = Postil(role_url)
    with pytest.raises((errors.WriteRefused, errors.SchemaOutdated)):
        postil.annotate("run", {"a": 1})
    postil.close()


def test_a_wrong_password_is_unavailable_and_not_shown(empty_database_url: str) -> None:
    """A wrong password raises `Unavailable`, whose text does not contain it."""
    url = f"postgresql://postil:wrong-{uuid.uuid4().hex}@{empty_database_url.partition('@')[2]}"
    with pytest.raises(errors.Unavailable, match="password") as raised:
        migrate(url)
    assert "wrong-" not in str(raised.value)


def test_a_database_that_is_not_utf8_is_refused(postgres_server: EmbeddedPostgres) -> None:
    """`migrate` refuses a database whose encoding is not UTF8, and names the encoding."""
    name = f"ascii_{uuid.uuid4().hex[:8]}"
    sql(postgres_server.url, f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0")
    with pytest.raises(errors.ConfigurationError, match="SQL_ASCII"):
        migrate(postgres_server.url_of(name))
    sql(postgres_server.url, f"drop database {name}")


def test_a_silent_or_absent_server_is_unavailable() -> None:
    """A silent server raises `Unavailable` after `connect_timeout`, and an absent one at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(errors.Unavailable, match="timeout"):
            migrate(f"postgresql://postil@127.0.0.1:{port}/postil?connect_timeout=2")
    with pytest.raises(errors.Unavailable, match="refused"):
        migrate(f"postgresql://postil@127.0.0.1:{port}/postil")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not one of PostgreSQL"),
        ("postil", "is not one of PostgreSQL"),
        ("mysql://localhost/x", "is not one of PostgreSQL"),
        ("http://[::1", "is not one of PostgreSQL"),
        ("postgresql://host:port/x", "has a port that is not a number"),
        ("postgresql://user:pass@word@host/x", "has a host that is not a host name"),
        ("postgresql://one:1,two:2/x", "cannot be read by SQLAlchemy"),
        ("postgresql+psycopg://host/x?nosuch=1", "invalid URI query parameter"),
    ],
)
def test_an_invalid_database_url_is_refused(url: str, reason: str) -> None:
    """A URL that is malformed or not PostgreSQL's raises `ConfigurationError` with the reason."""
    with pytest.raises(errors.ConfigurationError, match=reason):
        migrate(url)


def test_writers_continue_during_a_migration(database_url: str) -> None:
    """Writers see no error while `migrate` runs."""
    failures: list[BaseException] = []
    stop = threading.Event()

    def write(run_id: str) -> None:
        postil = Postil(database_url)
        try:
            postil.create_run(run_id)
            while not stop.is_set():
                postil.annotate(run_id, {"a": 1})
        except BaseException as error:  # noqa: BLE001 (the test reads it after the join)
            failures.append(error)
        finally:
            postil.close()

    threads = [threading.Thread(target=write, args=(f"run-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        migrate(database_url)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
