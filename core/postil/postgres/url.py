"""How a database is named: plain libpq URLs outside, SQLAlchemy's form inside."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from postil.errors import ConfigurationError

# What the URL itself says wins.
DEFAULTS = {
    "connect_timeout": "10",  # seconds; an address that answers nothing is otherwise waited for as long as TCP does
    "client_encoding": "utf8",  # whatever PGCLIENTENCODING says: events are Unicode
}


def sqlalchemy_url(url: str) -> URL:
    """Return `url` (``postgresql://…``, as psql takes it) with psycopg 3 as its driver; sync and async engines take it.

    Raises `ConfigurationError` for what is no PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            "The database URL is not one of PostgreSQL.",
            advice="Write it as postgresql://user:password@host:port/name.",
        )
    query = {**DEFAULTS, **parsed.query}
    return parsed.set(drivername="postgresql+psycopg", query=query)
