"""Checks of the database: its version, durability, schema, and how far behind the relay is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from postil.errors import ConfigurationError
from postil.model.relay_state import LATE_SECONDS
from postil.settings import Settings
from postil_stack.doctor.report import Finding


def check_database(settings: Settings) -> Iterator[Finding]:
    """Check the database that the settings name."""
    if not settings.database_url:
        yield Finding(
            "database", "unknown", "none is configured and none runs", "postil up, or set POSTIL_DATABASE_URL"
        )
        return
    try:
        url = settings.require_database_url()
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            yield from _database_findings(connection)
    except ConfigurationError as error:
        yield Finding("database", "bad", error.what, error.advice)
    except psycopg.Error as error:
        why = str(error).strip().splitlines()[0]
        yield Finding(
            "database",
            "bad",
            f"cannot be reached: {why}",
            "Start it (postil up), or correct POSTIL_DATABASE_URL.",
        )


def _database_findings(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    def value_of(query: str) -> Any:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    number = connection.info.server_version
    version = str(value_of("show server_version")).split()[0]
    if number < 150000:
        yield Finding("database", "bad", f"PostgreSQL {version}", "PostgreSQL 15 or later is needed.")
    else:
        yield Finding("database", "ok", f"PostgreSQL {version}")
    for setting, meaning in (
        ("fsync", "a power cut loses committed transactions"),
        ("full_page_writes", "a power cut may corrupt pages"),
        ("synchronous_commit", "a commit returns before it is durable; Postil refuses to write"),
    ):
        value = value_of(f"show {setting}")
        if value == "off":
            yield Finding(
                "durability", "bad", f"{setting} is off: {meaning}", f"alter system set {setting} = on"
            )
        else:
            yield Finding("durability", "ok", f"{setting} = {value}")
    yield from _schema(connection)
    if value_of("select pg_is_in_recovery()"):
        yield Finding(
            "database", "bad", "is a standby: the relay refuses to run there", "Use the URL of the primary."
        )


def _schema(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    from postil.postgres import migrate  # noqa: PLC0415 (heavy: Alembic)

    row = connection.execute(
        "select to_regclass('postil.event')::text, to_regclass('postil.alembic_version')::text"
    ).fetchone()
    if row is None or row[0] is None:
        yield Finding("schema", "bad", "is not installed", "postil migrate")
        return
    current = (
        connection.execute("select version_num from postil.alembic_version").fetchone() if row[1] else None
    )
    newest = migrate.latest_revision()
    if current is None or current[0] != newest:
        yield Finding(
            "schema", "bad", f"is at {current[0] if current else 'none'}, not {newest}", "postil migrate"
        )
    else:
        yield Finding("schema", "ok", f"at {newest}")
    yield from _relay(connection)


def _relay(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Check whether a relay runs and how far behind it is, from the tables."""
    try:
        row = connection.execute(
            "select lanes_owned, unpublished, extract(epoch from now() - oldest_unpublished)::float8, parked_runs"
            " from postil.relay_status"
        ).fetchone()
    except psycopg.Error as error:
        yield Finding(
            "relay", "unknown", f"its state cannot be read: {str(error).splitlines()[0]}", "postil migrate"
        )
        return
    owned, unpublished, age, parked = row or (0, 0, None, 0)
    if owned:
        yield Finding("relay", "ok", f"runs, owning {owned} lanes")
    else:
        yield Finding(
            "relay",
            "bad" if unpublished else "note",
            "none runs: nothing is published",
            "postil up, or postil relay",
        )
    late = unpublished and (age or 0.0) > LATE_SECONDS
    yield Finding(
        "relay",
        "bad" if late else "ok",
        f"{unpublished:,} events unpublished" + (f", the oldest for {age:,.0f} s" if late else ""),
        "Is it running, and does it reach Kafka? postil status" if late else "",
    )
    if parked:
        yield Finding(
            "relay",
            "bad",
            f"{parked} runs are parked: Kafka refused one of their events",
            "postil relay parked",
        )
