"""The embedded servers refuse every client without the password, and lose no data at kill -9."""

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
from postil_stack.errors import PortBusy, StartFailed
from postil_stack.servers import jars
from postil_stack.servers.kafka import EmbeddedKafka
from postil_stack.servers.postgres import EmbeddedPostgres


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("password", ["wrong", ""])
@pytest.mark.parametrize("user", ["postil", "postgres", "root"])
def test_postgres_refuses_a_wrong_or_missing_password(
    postgres_server: EmbeddedPostgres, user: str, password: str
) -> None:
    """No user connects to PostgreSQL with a wrong or an empty password."""
    with pytest.raises(psycopg.OperationalError, match=r"password"):
        psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, user=user, password=password, dbname="postil"
        )


def test_postgres_has_no_trust_rule(postgres_server: EmbeddedPostgres) -> None:
    """Every rule of pg_hba.conf requires a password by SCRAM-SHA-256."""
    with psycopg.connect(postgres_server.url) as connection:
        rules = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert rules == [("scram-sha-256",)]


def test_postgres_is_local_and_durable(postgres_server: EmbeddedPostgres) -> None:
    """PostgreSQL listens on loopback only, has no socket file, and writes each commit to disk."""
    with psycopg.connect(postgres_server.url) as connection:
        settings = {
            name: connection.execute(f"show {name}").fetchone()
            for name in (
                "listen_addresses",
                "unix_socket_directories",
                "fsync",
                "full_page_writes",
                "synchronous_commit",
            )
        }
    assert settings == {
        "listen_addresses": ("127.0.0.1",),
        "unix_socket_directories": ("",),
        "fsync": ("on",),
        "full_page_writes": ("on",),
        "synchronous_commit": ("on",),
    }


def test_kafka_refuses_a_wrong_password(kafka_server: EmbeddedKafka) -> None:
    """A client with a wrong password gets an authentication error from Kafka and no metadata."""
    errors: list[str] = []
    configuration = {
        **load_settings(**kafka_server.settings()).kafka_client(),
        "sasl.password": "wrong",
        "log_level": "0",
    }
    client = AdminClient({**configuration, "error_cb": lambda error: errors.append(error.name())})
    deadline = time.monotonic() + 20
    while "_AUTHENTICATION" not in errors and time.monotonic() < deadline:
        client.poll(1)
    assert "_AUTHENTICATION" in errors
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1)


def test_kafka_refuses_a_client_without_a_password(kafka_server: EmbeddedKafka) -> None:
    """A client without SASL gets no metadata from Kafka."""
    configuration = {
        "bootstrap.servers": kafka_server.bootstrap_servers,
        "security.protocol": "PLAINTEXT",
        "log_level": "0",
    }
    with pytest.raises(KafkaException):
        AdminClient(configuration).list_topics(timeout=2)


def test_the_kafka_controller_requires_the_password(kafka_server: EmbeddedKafka) -> None:
    """Kafka's controller closes a connection that sends a request before it authenticates."""
    port = int((kafka_server.directory / "controller.port").read_text("utf-8"))
    # DescribeCluster, version 1: a request that the controller serves only to authenticated clients.
    request = struct.pack(">hhih", 60, 1, 1, -1) + b"\0" + b"\0\2\0"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        assert connection.recv(1024) == b""


def test_kafka_creates_no_topic_by_itself(kafka_server: EmbeddedKafka) -> None:
    """A metadata request for an unknown topic does not create the topic."""
    client = AdminClient(load_settings(**kafka_server.settings()).kafka_client())
    client.list_topics(topic="unknown.topic", timeout=10)
    assert "unknown.topic" not in client.list_topics(timeout=10).topics


def test_secrets_and_data_are_closed_to_other_users(
    postgres_server: EmbeddedPostgres, kafka_server: EmbeddedKafka
) -> None:
    """Directories of the servers have mode 0700, and files with secrets have mode 0600."""
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


def test_postgres_recovers_despite_a_reused_process_id(tmp_path: Path) -> None:
    """PostgreSQL starts with all data after kill -9, even if another process now has its process id."""
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    try:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table durable as select 42 as number")
        url, pid_file = server.url, server.data / "postmaster.pid"
        lines = pid_file.read_text("utf-8").splitlines()
        server.kill()
        # This process is alive and now appears to have the process id of the dead server.
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", "utf-8")
        server = EmbeddedPostgres(tmp_path / "postgres").start()
        assert server.url == url
        with psycopg.connect(server.url) as connection:
            assert connection.execute("table durable").fetchone() == (42,)
    finally:
        server.stop()


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    """A start on a port that another process uses raises `PortBusy` with the port's number."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortBusy, match=f"Port {port} is taken, PostgreSQL cannot use it"):
            EmbeddedPostgres(tmp_path / "postgres", port=port).start()


def test_kafka_starts_with_a_corrupt_aot_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka starts when its ahead-of-time cache is corrupt."""
    jars.class_path()  # downloads the jars if they are not in the user's cache
    user_cache = jars.cache_directory()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    test_cache = jars.cache_directory()
    test_cache.mkdir(parents=True)
    for jar in user_cache.glob("*.jar"):
        link = test_cache / jar.name
        if jar.stat().st_dev == test_cache.stat().st_dev:
            link.hardlink_to(jar)
        else:
            link.symlink_to(jar)
    for aot_cache in user_cache.glob("*.aot"):
        (test_cache / aot_cache.name).write_bytes(b"not a cache")
    assert list(test_cache.glob("*.aot"))
    with EmbeddedKafka(tmp_path / "kafka") as server:
        assert server.is_ready()


def test_a_cluster_id_may_begin_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka starts with a random cluster id that begins with a dash."""
    with monkeypatch.context() as patch:
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
        with EmbeddedKafka(tmp_path / "kafka") as server:
            assert "cluster.id=-AAA" in (server.data / "meta.properties").read_text()


def test_a_changed_password_file_is_named(tmp_path: Path) -> None:
    """If the password file and the cluster differ, the start fails with the file's name, and the server is stopped."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    server.stop()
    (tmp_path / "postgres" / "password").write_text("another")
    again = EmbeddedPostgres(tmp_path / "postgres")
    with pytest.raises(StartFailed, match="does not let its owner in") as refused:
        again.start()
    assert again.child is None
    assert str(tmp_path / "postgres" / "password") in refused.value.advice
