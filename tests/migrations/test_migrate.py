"""Installing and upgrading the schema: twice, at once, on databases of all sorts, with clear words when it cannot be."""

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
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(cast("LiteralString", statement))
        return cursor.fetchall() if cursor.description else []


def test_an_empty_database_is_brought_to_the_latest_revision_and_works(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == Migrated(before=None, after=latest_revision())
    postil = Postil(empty_database_url)
    with postil.run("first") as run:
        run.annotate({"a": 1})
    postil.close()
    assert sql(empty_database_url, "select count(*) from postil.event") == [(3,)]


def test_a_second_time_changes_nothing(database_url: str) -> None:
    before = sql(database_url, FUNCTIONS)
    assert not migrate(database_url).changed
    assert sql(database_url, FUNCTIONS) == before


def test_several_at_once_install_it_once(empty_database_url: str) -> None:
    done: list[Migrated | BaseException] = []
    together = threading.Barrier(4)

    def install() -> None:
        together.wait(30)
        try:
            done.append(migrate(empty_database_url))
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            done.append(error)

    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latest = latest_revision()
    assert done.count(Migrated(None, latest)) == 1
    assert done.count(Migrated(latest, latest)) == 3


def test_everything_lives_in_a_schema_of_its_own_and_the_hosts_migrations_are_left_alone(
    empty_database_url: str,
) -> None:
    sql(
        empty_database_url,
        "create table alembic_version (version_num text); insert into alembic_version values ('theirs')",
    )
    migrate(empty_database_url)
    assert sql(empty_database_url, "select * from public.alembic_version") == [("theirs",)]
    assert sql(empty_database_url, "select * from postil.alembic_version") == [(latest_revision(),)]
    ours = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname <> 'alembic_version'"
    assert sql(empty_database_url, ours) == [(0,)]


def test_functions_of_an_older_version_are_replaced_whatever_their_signature(database_url: str) -> None:
    before = sql(database_url, FUNCTIONS)
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
    assert sql(database_url, FUNCTIONS) == before
    assert sql(database_url, "select postil.create_tenant('t')") == [(True,)]


def test_a_function_the_host_built_upon_survives(database_url: str) -> None:
    sql(database_url, "create view public.theirs as select postil._rfc3339(now()) as t")
    migrate(database_url)
    assert len(sql(database_url, "select t from public.theirs")) == 1


def test_what_was_recorded_survives(database_url: str) -> None:
    postil = Postil(database_url)
    postil.create_run("run")
    postil.annotate("run", {"a": 1})
    migrate(database_url)
    postil.annotate("run", {"b": 1})
    assert sql(database_url, "select run_seq from postil.event order by position") == [(1,), (2,), (3,)]
    postil.close()


def test_a_schema_of_a_later_version_is_left_alone(database_url: str) -> None:
    sql(
        database_url,
        "update postil.alembic_version set version_num = '9999'; drop function postil.create_tenant",
    )
    with pytest.raises(errors.SchemaNewer, match="9999") as refused:
        migrate(database_url)
    assert "Upgrade Postil" in refused.value.advice
    assert sql(database_url, "select to_regproc('postil.create_tenant')") == [(None,)]


@pytest.fixture
def plain_role(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A role that may log in and nothing else."""
    name = f"plain_{uuid.uuid4().hex[:8]}"
    sql(postgres_server.url, f"create role {name} login password 'secret'")
    yield name
    sql(postgres_server.url, f"drop role {name}")


@pytest.mark.parametrize("which", ["empty_database_url", "database_url"])
def test_without_the_rights_it_says_so(request: pytest.FixtureRequest, plain_role: str, which: str) -> None:
    url: str = request.getfixturevalue(which)
    as_plain = f"postgresql://{plain_role}:secret@{url.partition('@')[2]}"
    with pytest.raises(errors.WriteRefused, match="permission denied") as refused:
        migrate(as_plain)
    assert "Grant" in refused.value.advice
    postil = Postil(as_plain)
    with pytest.raises((errors.WriteRefused, errors.SchemaOutdated)):
        postil.annotate("run", {"a": 1})
    postil.close()


def test_a_wrong_password_is_unavailable_and_not_shown(empty_database_url: str) -> None:
    url = f"postgresql://postil:wrong-{uuid.uuid4().hex}@{empty_database_url.partition('@')[2]}"
    with pytest.raises(errors.Unavailable, match="password") as refused:
        migrate(url)
    assert "wrong-" not in str(refused.value)


def test_a_database_that_is_not_unicode_is_refused(postgres_server: EmbeddedPostgres) -> None:
    name = f"ascii_{uuid.uuid4().hex[:8]}"
    sql(postgres_server.url, f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0")
    with pytest.raises(errors.ConfigurationError, match="SQL_ASCII"):
        migrate(postgres_server.url_of(name))
    sql(postgres_server.url, f"drop database {name}")


def test_a_server_that_is_not_there_or_answers_nothing_is_unavailable_and_waited_for_no_longer_than_told() -> (
    None
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(errors.Unavailable, match="timeout"):
            migrate(f"postgresql://postil@127.0.0.1:{port}/postil?connect_timeout=2")
    with pytest.raises(errors.Unavailable, match="refused"):
        migrate(f"postgresql://postil@127.0.0.1:{port}/postil")


@pytest.mark.parametrize(
    ("url", "why"),
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
def test_what_is_no_url_of_postgresql_is_refused(url: str, why: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=why):
        migrate(url)


def test_writers_go_on_while_it_is_migrated(database_url: str) -> None:
    failures: list[BaseException] = []
    over = threading.Event()

    def write(run_id: str) -> None:
        postil = Postil(database_url)
        try:
            postil.create_run(run_id)
            while not over.is_set():
                postil.annotate(run_id, {"a": 1})
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)
        finally:
            postil.close()

    threads = [threading.Thread(target=write, args=(f"run-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        migrate(database_url)
    over.set()
    for thread in threads:
        thread.join()
    assert failures == []
