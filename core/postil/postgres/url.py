"""How a database is named: plain libpq URLs outside, SQLAlchemy's form inside."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from postil.errors import ConfigurationError


def sqlalchemy_url(url: str) -> URL:
    """Return `url` (``postgresql://…``, as psql takes it) with psycopg 3 as its driver; sync and async engines take it.

    Raises `ConfigurationError` for what is no PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            "The database URL is not one of PostgreSQL.",
            advice="Write it as postgresql://user:password@host:port/name.",
        )
    return parsed if "+" in parsed.drivername else parsed.set(drivername="postgresql+psycopg")
