"""Checks the URL of a database, as libpq reads it, before a program connects with it.

An error shows no part of the URL: a password that was not percent-encoded may be in any part.
This module is separate from `postil.postgres.url` because programs that use plain psycopg do not need SQLAlchemy.
"""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo

from postil.errors import ConfigurationError

SCHEMES = ("postgresql://", "postgres://")


def check_database_url(url: str) -> str:
    """Return `url` (``postgresql://…``). Raises `ConfigurationError` with the reason if libpq could not use it.

    The function does not connect.
    """
    if not url.startswith(SCHEMES):
        raise _wrong("is not one of PostgreSQL")
    try:
        url.encode()
    except UnicodeEncodeError:
        raise _wrong("is not UTF-8") from None
    if "\0" in url:
        raise _wrong("contains NUL")
    try:
        parts = conninfo_to_dict(url)
        timeout_from_conninfo(parts)
    except ProgrammingError as error:
        reason = str(error).strip()
        if "query parameter" not in reason and "connect_timeout" not in reason:
            reason = reason.partition(': "')[0]  # the rest quotes the URL
        raise _wrong(f"cannot be read: {reason}") from None
    if not all(_is_host(host) for host in str(parts.get("host") or "").split(",")):
        raise _wrong("has a host that is not a host name")
    if not all(_is_port(port) for port in str(parts.get("port") or "").split(",")):
        raise _wrong("has a port that is not a number from 1 to 65535")
    return url


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database URL {what}.",
        advice="Write it as postgresql://user:password@host:port/name; other characters in its parts as %XX.",
    )


def _is_host(host: str) -> bool:
    if not host or host.startswith("/"):  # the directory of a Unix socket
        return True
    if host.isascii():  # also an IP address; resolving a label that is empty or too long raises UnicodeError
        return all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")) and not set(
            host
        ) & set("@/ ")
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535)
