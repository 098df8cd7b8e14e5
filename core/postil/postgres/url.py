"""Turns the URL of a database, as libpq takes it, into SQLAlchemy's form."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from postil.database_url import check_database_url
from postil.errors import ConfigurationError

DEFAULTS = {
    "connect_timeout": "10",  # seconds; without it, connecting to an unreachable address takes as long as TCP's own timeout
    "client_encoding": "utf8",  # events are Unicode, whatever PGCLIENTENCODING is
}
"""Connection parameters that the URL does not set itself."""


def sqlalchemy_url(url: str) -> URL:
    """Return `url` (``postgresql://…``, as psql takes it) with psycopg 3 as its driver, for sync and async engines.

    A driver in the URL, as in ``postgresql+psycopg2://``, is ignored.
    Raises `ConfigurationError` for anything but a PostgreSQL URL.
    """
    scheme, mark, rest = url.partition("://")
    checked = check_database_url(scheme.partition("+")[0] + mark + rest)
    try:
        parsed = make_url(checked)
    except (ArgumentError, ValueError):  # libpq takes a list of hosts, SQLAlchemy does not
        raise ConfigurationError(
            "The database URL cannot be read by SQLAlchemy.",
            advice="Write it as postgresql://user:password@host:port/name, with one host.",
        ) from None
    query = {**DEFAULTS, **parsed.query}
    return parsed.set(drivername="postgresql+psycopg", query=query)
