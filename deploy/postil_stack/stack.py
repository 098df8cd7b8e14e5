"""The whole stack of one data directory: put together from settings, brought up, taken down."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import psutil

from postil.settings import Settings, load_settings
from postil_stack import state_file as record
from postil_stack.errors import EmbeddedError, PortBusy, missing_extra
from postil_stack.programs import programs
from postil_stack.servers import jars
from postil_stack.servers import tcp_ports as ports
from postil_stack.servers.kafka import EmbeddedKafka, train
from postil_stack.servers.memory_kafka import NOTICE, MemoryKafka
from postil_stack.servers.postgres import EmbeddedPostgres, postgres_version
from postil_stack.servers.private_files import private_directory
from postil_stack.state_file import PartRecord, StackRecord
from postil_stack.supervisor import Server, Supervisor

STOP_TIMEOUT = 90.0


class Reporter(Protocol):
    """Where the progress of a start goes: a terminal, or a pipe to the terminal's process."""

    def part(self, name: str, seen: PartRecord, seconds: float) -> None:
        """A part's status changed, `seconds` after the start."""
        ...

    def download(self, done: int, total: int) -> None:
        """So many bytes of the one-time download are here."""
        ...

    def ready(self, stack: StackRecord) -> None:
        """Everything is ready."""
        ...


def run(settings: Settings, *, kafka: str, report: Reporter, demo: Path | None = None) -> None:
    """Bring the stack up and keep it running until it is asked to end. `kafka`: ``embedded`` or ``memory``.

    `demo`: a folder to review once all is ready, so that there is something alive to see.

    A part named by the settings (``POSTIL_DATABASE_URL``, ``POSTIL_KAFKA_BOOTSTRAP_SERVERS``) is used, not started.
    Raises `EmbeddedError` where it cannot be brought up.
    """
    data_dir = settings.data_dir.absolute()
    with record.ownership(data_dir):
        record.end(record.leftovers(data_dir))  # of a supervisor that was killed
        os.environ[record.MARK] = str(data_dir.resolve())
        trainees: list[EmbeddedKafka] = []
        try:
            supervisor = _supervisor(settings, data_dir, kafka, report)

            def ready() -> None:
                report.ready(supervisor.stack)
                _train(supervisor.stack.kafka, trainees)
                if demo is not None:
                    review = _review(demo, data_dir)
                    supervisor.before_end = lambda: _end_review(review)

            supervisor.run(on_ready=ready)
        finally:
            for trainee in trainees:
                trainee.kill()
            record.forget(data_dir)


def settings_to_start_with(data_dir: Path | None, **given: Any) -> Settings:
    """The settings of a new stack: what a stack that was killed wrote down must not pass for servers of the user's own."""
    settings = load_settings(data_dir=data_dir, **given)
    if not record.is_owned(settings.data_dir):
        record.forget(settings.data_dir)
        settings = load_settings(data_dir=data_dir, **given)
    return settings


def down(data_dir: Path) -> bool:
    """End the stack in `data_dir`, or what a killed supervisor left of it; return whether anything was there.

    Raises `EmbeddedError` where it does not end.
    """
    data_dir = data_dir.absolute()
    known = record.read(data_dir)
    if record.is_owned(data_dir):
        supervisor = record.process(known.pid, known.created) if known else None
        if supervisor is None:
            raise EmbeddedError(
                f"A process holds {data_dir / record.LOCK_FILE}, but it is not the supervisor on record.",
                advice="It may be starting just now: try again in a moment.",
            )
        supervisor.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while record.is_owned(data_dir):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"The stack in {data_dir} has not ended after {STOP_TIMEOUT:.0f} s.",
                    advice=f"Its supervisor is process {supervisor.pid}; what hinders it is in {data_dir / 'logs'}.",
                )
            time.sleep(0.02)
        return True
    if not data_dir.exists():
        return False
    with record.ownership(data_dir):
        left = record.leftovers(data_dir)
        record.end(left)
        servers = 0
        if (data_dir / "kafka").exists():
            servers += EmbeddedKafka(data_dir / "kafka").end_leftovers()
        if (data_dir / "postgres").exists():
            servers += EmbeddedPostgres(data_dir / "postgres").end_leftovers()
        record.forget(data_dir)
    return bool(left or servers)


def _supervisor(settings: Settings, data_dir: Path, kafka: str, report: Reporter) -> Supervisor:
    logs = private_directory(data_dir / "logs")
    http_port = _http_port(settings)
    stopping = threading.Event()

    def download(done: int, total: int) -> None:
        if stopping.is_set():
            raise EmbeddedError(
                "The download was interrupted.", advice="Start again: what has arrived is kept."
            )
        report.download(done, total)

    servers: dict[str, Server] = {}
    external: dict[str, PartRecord] = {}
    connect: list[Callable[[], Mapping[str, Any]]] = []

    if settings.database_url:
        external["postgres"] = PartRecord("postgres", "external", message="yours (POSTIL_DATABASE_URL)")
        url = settings.database_url
        connect.append(lambda: {"database_url": url})
        _migrate(url)
    else:
        postgres = EmbeddedPostgres(data_dir / "postgres")
        connect.append(lambda: {"database_url": postgres.url})
        servers["postgres"] = Server(
            postgres,
            PartRecord("postgres", "starting", postgres_version()),
            lambda: _prepare_postgres(postgres, data_dir),
        )

    if settings.kafka_bootstrap_servers:
        kafka = "external"
        external["kafka"] = PartRecord("kafka", "external", message="yours (POSTIL_KAFKA_BOOTSTRAP_SERVERS)")
        given = {name: value for name, value in settings.model_dump().items() if name.startswith("kafka_")}
        connect.append(lambda: given)
    elif kafka == "memory":
        memory = MemoryKafka(data_dir / "kafka", topic=settings.kafka_topic)
        connect.append(memory.settings)
        servers["kafka"] = Server(memory, PartRecord("kafka", "starting", memory.version()), lambda: NOTICE)
    else:
        broker = EmbeddedKafka(data_dir / "kafka", progress=download)
        connect.append(broker.settings)
        servers["kafka"] = Server(
            broker,
            PartRecord("kafka", "starting", jars.kafka_version()),
            lambda: _make_topic(settings, broker),
        )

    audit_dir = (settings.audit_dir or data_dir / "audit").absolute()
    fixed: dict[str, Any] = {
        "kafka_topic": settings.kafka_topic,
        "kafka_partitions": settings.kafka_partitions,
        "tenant": settings.tenant,
        "data_dir": str(data_dir),
        "audit_dir": str(audit_dir),
        "http_host": settings.http_host,
        "http_port": http_port,
    }

    def connected() -> dict[str, Any]:
        found = dict(fixed)
        for one in connect:
            found |= one()
        return {
            name: value if isinstance(value, int) else str(value)
            for name, value in found.items()
            if value is not None
        }

    def environment() -> dict[str, str]:
        return {f"POSTIL_{name.upper()}": str(value) for name, value in connected().items()}

    me = psutil.Process()
    stack = StackRecord(
        pid=me.pid,
        created=me.create_time(),
        settings=fixed,
        http_url=f"http://{settings.http_host}:{http_port}",
        kafka=kafka,
        processes=dict(external),
    )
    stack.write(data_dir)
    children = programs(logs, environment)
    for name, seen in external.items():
        report.part(name, seen, 0.0)
    return Supervisor(
        data_dir=data_dir,
        servers=servers,
        programs=children,
        stack=stack,
        settings=connected,
        report=report.part,
        stopping=stopping,
    )


def _review(folder: Path, data_dir: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "postil", "demo", str(folder)]
    return subprocess.Popen(command, env={**os.environ, "POSTIL_DATA_DIR": str(data_dir)})  # noqa: S603 (ours)


def _end_review(review: subprocess.Popen[bytes]) -> None:
    """Let it cancel its run while there is a database to say so to."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        review.terminate()
        review.wait(5)


def _train(kafka: str, trainees: list[EmbeddedKafka]) -> None:
    """Make the next start quicker, on the side."""
    if kafka == "embedded":
        threading.Thread(target=train, args=[trainees.append], daemon=True).start()


def _http_port(settings: Settings) -> int:
    """The dashboard's port, seen to be free before anything is started."""
    if settings.http_port == 0:
        return ports.choose("The dashboard", None, settings.data_dir.absolute() / "http.port")
    refusal = ports.refusal(settings.http_port, settings.http_host)
    if refusal is None:
        return settings.http_port
    if refusal.errno == errno.EADDRINUSE:
        raise PortBusy(
            f"Port {settings.http_port} of {settings.http_host} is taken, the dashboard cannot have it.",
            advice="Stop its owner, or choose another: postil up --port N",
        )
    raise EmbeddedError(
        f"The dashboard cannot listen on {settings.http_host} port {settings.http_port}: {refusal.strerror}.",
        advice="Correct POSTIL_HTTP_HOST, or choose another port: postil up --port N",
    )


def _prepare_postgres(postgres: EmbeddedPostgres, data_dir: Path) -> str:
    postgres.wait_ready()
    _migrate(postgres.url)
    return f"data in {data_dir}"


def _migrate(url: str) -> None:
    from postil.postgres.migrate import migrate  # noqa: PLC0415 (0.4 s of imports, while the servers start)

    migrate(url)


def _make_topic(settings: Settings, broker: EmbeddedKafka) -> None:
    """Make the topic where it is missing, so that no program meets a Kafka without it; never change one that is there."""
    try:
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 (an extra)
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 (as above)
        from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as missing:
        raise missing_extra("confluent-kafka") from missing
    client: Any = AdminClient(
        {**settings.model_copy(update=broker.settings()).kafka_client(), "log_level": "0"}
    )
    topic = NewTopic(settings.kafka_topic, num_partitions=settings.kafka_partitions, replication_factor=1)
    try:
        client.create_topics([topic])[settings.kafka_topic].result(30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise EmbeddedError(
                f"The topic {settings.kafka_topic} cannot be made: {error.args[0].str()}.",
                advice=f"Kafka's log says more: {broker.log}",
            ) from error
