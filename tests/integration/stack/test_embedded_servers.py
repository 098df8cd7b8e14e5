"""The embedded servers let nobody in without the password, and keep what they were given through kill -9."""

from __future__ import annotations

import os
import socket
import stat
import struct
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from postil.settings import load_settings
from postil_stack.errors import PortBusy
from postil_stack.servers import jars
from postil_stack.servers.kafka import EmbeddedKafka
from postil_stack.servers.postgres import EmbeddedPostgres


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("password", ["wrong", ""])
@pytest.mark.parametrize("user", ["postil", "postgres", "root"])
def test_postgres_refuses_everybody_without_the_password(
    postgres_server: EmbeddedPostgres, user: str, password: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password"):
        psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, user=user, password=password, dbname="postil"
        )


def test_postgres_has_no_rule_of_trust(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        rules = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert rules == [("scram-sha-256",)]


def test_postgres_listens_on_loopback_only_and_is_durable(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        found = {
            name: connection.execute(f"show {name}").fetchone()
            for name in (
                "listen_addresses",
                "unix_socket_directories",
                "fsync",
                "full_page_writes",
                "synchronous_commit",
            )
        }
    assert found == {
        "listen_addresses": ("127.0.0.1",),
        "unix_socket_directories": ("",),
        "fsync": ("on",),
        "full_page_writes": ("on",),
        "synchronous_commit": ("on",),
    }


def test_kafka_refuses_a_wrong_password(kafka_server: EmbeddedKafka) -> None:
    told: list[str] = []
    wrong = {
        **load_settings(**kafka_server.settings()).kafka_client(),
        "sasl.password": "wrong",
        "log_level": "0",
    }
    client = AdminClient({**wrong, "error_cb": lambda error: told.append(error.name())})
    deadline = time.monotonic() + 20
    while "_AUTHENTICATION" not in told and time.monotonic() < deadline:
        client.poll(1)
    assert "_AUTHENTICATION" in told
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1)


def test_kafka_refuses_a_client_without_a_password(kafka_server: EmbeddedKafka) -> None:
    bare = {
        "bootstrap.servers": kafka_server.bootstrap_servers,
        "security.protocol": "PLAINTEXT",
        "log_level": "0",
    }
    with pytest.raises(KafkaException):
        AdminClient(bare).list_topics(timeout=2)


def test_kafkas_controller_asks_for_the_password_too(kafka_server: EmbeddedKafka) -> None:
    port = int((kafka_server.directory / "controller.port").read_text("utf-8"))
    # DescribeCluster, version 1, as a controller answers it to whoever may ask.
    request = struct.pack(">hhih", 60, 1, 1, -1) + b"\0" + b"\0\2\0"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        assert connection.recv(1024) == b""


def test_kafka_makes_no_topic_that_nobody_asked_for(kafka_server: EmbeddedKafka) -> None:
    client = AdminClient(load_settings(**kafka_server.settings()).kafka_client())
    client.list_topics(topic="nobody.made.me", timeout=10)
    assert "nobody.made.me" not in client.list_topics(timeout=10).topics


def test_secrets_and_data_are_closed_to_other_users(
    postgres_server: EmbeddedPostgres, kafka_server: EmbeddedKafka
) -> None:
    for directory in (
        postgres_server.directory,
        postgres_server.data,
        kafka_server.directory,
        kafka_server.data,
    ):
        assert mode(directory) == 0o700, directory
    for file in (
        postgres_server.directory / "password",
        kafka_server.directory / "password",
        kafka_server.configuration,
        kafka_server.log,
    ):
        assert mode(file) == 0o600, file


def test_postgres_recovers_after_kill_9_and_never_takes_a_number_for_its_process(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    try:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept as select 42 as answer")
        url, pid_file = server.url, server.data / "postmaster.pid"
        lines = pid_file.read_text("utf-8").splitlines()
        server.kill()
        # The number of the dead server has been given to a living process: this one.
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", "utf-8")
        server = EmbeddedPostgres(tmp_path / "postgres").start()
        assert server.url == url
        with psycopg.connect(server.url) as connection:
            assert connection.execute("table kept").fetchone() == (42,)
    finally:
        server.stop()


def test_a_port_somebody_else_has_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortBusy, match=f"Port {port} is taken, PostgreSQL cannot use it"):
            EmbeddedPostgres(tmp_path / "postgres", port=port).start()


def test_a_broken_ahead_of_time_cache_hinders_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars.class_path()  # wherever this user's are
    real = jars.cache_directory()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mine = jars.cache_directory()
    mine.mkdir(parents=True)
    for file in real.glob("*.jar"):
        (mine / file.name).hardlink_to(file) if file.stat().st_dev == mine.stat().st_dev else (
            mine / file.name
        ).symlink_to(file)
    for cache in real.glob("*.aot"):
        (mine / cache.name).write_bytes(b"this is no cache")
    assert list(mine.glob("*.aot"))
    with EmbeddedKafka(tmp_path / "kafka") as server:
        assert server.is_ready()


def test_a_kafka_whose_identity_begins_with_a_dash_starts_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as drawn:
        drawn.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
        with EmbeddedKafka(tmp_path / "kafka") as server:
            assert "cluster.id=-AAA" in (server.data / "meta.properties").read_text()
