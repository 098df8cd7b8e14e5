"""How a database is named: plain libpq URLs outside, SQLAlchemy's form inside."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from postil.database_url import check_database_url
from postil.errors import ConfigurationError

# What the URL itself says wins.
DEFAULTS = {
    "connect_timeout": "10",  # seconds; an address that answers nothing is otherwise waited for as long as TCP does
    "client_encoding": "utf8",  # whatever PGCLIENTENCODING says: events are Unicode
}


def sqlalchemy_url(url: str) -> URL:
    """Return `url` (``postgresql://…``, as psql takes it) with psycopg 3 as its driver; sync and async engines take it.

    Raises `ConfigurationError` for what is no PostgreSQL URL.
    A driver named in it, as in ``postgresql+psycopg://``, is left out.
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
