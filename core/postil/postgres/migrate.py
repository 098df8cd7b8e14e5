"""Installs and upgrades schema ``postil`` from the files under ``sql/``.

Tables and types change by Alembic revisions. Alembic's version table lives inside schema ``postil``,
so that it never meets the host's own.
Functions and views are replaced whole after every upgrade, inside the same transaction.
Functions may be created in any order: ``check_function_bodies`` is off, so PostgreSQL looks up
what a body uses when the function first runs. No list of files and no number in a name has to be kept up to date.
The tests compile every body after an installation, which finds what the server would have found.
Views come after the functions, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from postil.errors import ConfigurationError, SchemaNewer
from postil.postgres.failures import translated
from postil.postgres.url import sqlalchemy_url

SCHEMA = "postil"
MINIMUM_SERVER = 150000
# Any constant will do if all versions use the same one: "postil" in ASCII.
MIGRATION_LOCK = 0x706F7374696C


_DROP_FUNCTIONS = """
do $$
declare
    f regprocedure;
begin
    for f in
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'postil'::regnamespace
           and not exists (select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid)
    loop
        execute format('drop function %%s', f);
    end loop;
end
$$
"""


@dataclass(frozen=True)
class Migrated:
    """What a migration did: the revision `before` (None on a new database) and `after`."""

    before: str | None
    after: str

    @property
    def changed(self) -> bool:
        """Whether the tables changed; the functions are replaced either way."""
        return self.before != self.after


def migrate(url: str) -> Migrated:
    """Bring the schema at `url` to this version, in one transaction.

    Safe to run twice and from several places at once: the second waits for the first and finds nothing to do.
    Raises `Unavailable` where the database cannot be reached, `SchemaNewer` where a later version migrated it,
    `ConfigurationError` where the server is older than PostgreSQL 15 or the database's encoding is not UTF8.
    """
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            return migrate_connection(connection)
    except SQLAlchemyError as error:
        raise translated(error) from error
    finally:
        engine.dispose()


def migrate_connection(connection: Connection) -> Migrated:
    """Bring the schema to this version inside the transaction of `connection`, which the caller commits."""
    server, encoding = connection.execute(
        text("select current_setting('server_version_num')::int, current_setting('server_encoding')")
    ).one()
    if server < MINIMUM_SERVER:
        raise ConfigurationError(
            f"This server is PostgreSQL {server // 10000}; Postil needs 15 or later.",
            advice="Upgrade the server.",
        )
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database's encoding is {encoding}; Postil needs UTF8, for events are Unicode.",
            advice="Create one with: create database … encoding 'UTF8' template template0.",
        )
    # Held to the end of this transaction, so it also works behind a pooler in transaction mode.
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text(f"create schema if not exists {SCHEMA}"))
    before = current_revision(connection)
    config = _config()
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if before is not None and before not in known:
        raise SchemaNewer(
            f"Schema postil is at revision {before}, which this version of Postil does not know.",
            advice="Upgrade Postil to the version that migrated it, or a later one.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    install_functions(connection)
    connection.execute(text("select postil.extend_log()"))
    return Migrated(before, latest_revision())


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None where the schema was never installed."""
    return MigrationContext.configure(
        connection, opts={"version_table_schema": SCHEMA}
    ).get_current_revision()


def latest_revision() -> str:
    """The revision this version of the code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is always a first revision"
    return head


def install_functions(connection: Connection) -> None:
    """Replace every function and view by this version's, and drop the functions that it no longer has.

    Functions are dropped first, because ``create or replace`` keeps an old signature in addition to the new one.
    A function stays if something stored depends on it: a default, a trigger, a view, an object of the host.
    """
    connection.exec_driver_sql(_DROP_FUNCTIONS)
    connection.exec_driver_sql("set local check_function_bodies = off")
    for folder in ("functions", "views"):
        for file in sql_files(folder):
            connection.exec_driver_sql(_as_driver_sql(file.read_text("utf-8")))
    connection.exec_driver_sql("set local check_function_bodies = on")


def install_tables(connection: Connection, *names: str) -> None:
    """Run the named files under ``sql/``, as in ``tables/run.sql``: what a revision's upgrade consists of."""
    for name in names:
        file = files("postil.postgres").joinpath("sql", *name.split("/"))
        connection.exec_driver_sql(_as_driver_sql(file.read_text("utf-8")))


def sql_files(folder: str) -> Iterator[Traversable]:
    """Yield the SQL files of ``sql/<folder>`` and of the folders in it, by name."""
    yield from _sql_files(files("postil.postgres").joinpath("sql", folder))


def _sql_files(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _sql_files(entry)
        elif entry.name.endswith(".sql"):
            yield entry


def _as_driver_sql(sql: str) -> str:
    return sql.replace("%", "%%")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "postil.postgres:migrations")
    config.set_main_option("path_separator", "os")
    return config
