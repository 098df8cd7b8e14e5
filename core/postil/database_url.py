"""Reads a database's URL as libpq will, before anybody connects with it.

What is said of a wrong one shows none of its values: a password that was not percent-encoded can stand anywhere in it.
Apart from `postil.postgres.url`, because the programs that use plain psycopg need no SQLAlchemy for it.
"""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo

from postil.errors import ConfigurationError

SCHEMES = ("postgresql://", "postgres://")


def check_database_url(url: str) -> str:
    """Return `url` if it is one that can be connected with; raise `ConfigurationError` saying what is wrong otherwise.

    Whether anybody answers there is not asked.
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
        said = str(error).strip()
        if "query parameter" not in said and "connect_timeout" not in said:
            said = said.partition(': "')[0]  # what follows quotes the URL
        raise _wrong(f"cannot be read: {said}") from None
    if not all(_is_host(host) for host in str(parts.get("host") or "").split(",")):
        raise _wrong("has a host that is no host name")
    if not all(_is_port(port) for port in str(parts.get("port") or "").split(",")):
        raise _wrong("has a port that is no number from 1 to 65535")
    return url


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database URL {what}.",
        advice="Write it as postgresql://user:password@host:port/name; other characters in its parts as %XX.",
    )


def _is_host(host: str) -> bool:
    if not host or host.startswith("/"):  # a socket's directory
        return True
    if (
        host.isascii()
    ):  # an IP address too; asking for the address of a label too long or empty raises UnicodeError
        return all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")) and not set(
            host
        ) & set("@/ ")
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535)
