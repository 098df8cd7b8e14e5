"""A scratch database for benchmarks, on the configured server or on a temporary one."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from postil.errors import ConfigurationError, Unavailable
from postil.postgres.migrate import migrate
from postil.postgres.url import sqlalchemy_url
from postil.settings import Settings


@contextmanager
def scratch_database(settings: Settings) -> Generator[str]:
    """Yield the URL of a migrated database. It is dropped at the end.

    Raises `Unavailable` if the server cannot be reached, and `ConfigurationError` if none is configured or can be started.
    """
    with ExitStack() as stack:
        url = (
            settings.require_database_url()
            if settings.database_url
            else stack.enter_context(_temporary_server())
        )
        name = f"postil_bench_{uuid.uuid4().hex[:8]}"
        try:
            admin = stack.enter_context(psycopg.connect(url, autocommit=True))
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise Unavailable(
                f"A scratch database cannot be created: {str(error).strip().splitlines()[0]}",
                advice="Check the URL, and that its user may create databases.",
            ) from error
        try:
            scratch_url = _in_database(url, name)
            migrate(scratch_url)
            yield scratch_url
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _in_database(url: str, name: str) -> str:
    changed = sqlalchemy_url(url).set(drivername="postgresql", database=name)
    return changed.render_as_string(hide_password=False)


@contextmanager
def _temporary_server() -> Generator[str]:
    try:
        from postil_stack.servers.postgres import EmbeddedPostgres  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            "There is no server to measure.", advice="Set POSTIL_DATABASE_URL, or install 'postil[embedded]'."
        ) from missing
    with tempfile.TemporaryDirectory(prefix="postil-bench-") as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres")
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
