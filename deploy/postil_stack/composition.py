"""Composes a stack from settings: which servers are started, which external ones are used, and how programs connect."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from postil.errors import PostilError
from postil.settings import Settings
from postil_stack.errors import EmbeddedError, PortBusy, missing_extra
from postil_stack.programs import programs
from postil_stack.servers import jars, tcp_ports
from postil_stack.servers.kafka import EmbeddedKafka
from postil_stack.servers.memory_kafka import NOTICE, MemoryKafka
from postil_stack.servers.postgres import EmbeddedPostgres, postgres_version
from postil_stack.servers.private_files import private_directory
from postil_stack.state_file import ComponentState, StackState
from postil_stack.supervisor import Server, Supervisor


class Reporter(Protocol):
    """Receives the progress of a start: a terminal, or a pipe to the process that has the terminal."""

    def component(self, name: str, state: ComponentState, seconds: float) -> None:
        """The status of a component changed, `seconds` after the start."""
        ...

    def download(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the one-time download have arrived."""
        ...

    def ready(self, stack: StackState) -> None:
        """Everything is ready."""
        ...


@dataclass
class _Composition:
    """The servers to start, the external ones, and the settings with which programs connect to all of them."""

    settings: Settings
    data_dir: Path
    report: Reporter
    stopping: threading.Event = field(default_factory=threading.Event)
    servers: dict[str, Server] = field(default_factory=dict[str, Server])
    external: dict[str, ComponentState] = field(default_factory=dict[str, ComponentState])
    connections: list[Callable[[], Mapping[str, Any]]] = field(
        default_factory=list[Callable[[], Mapping[str, Any]]]
    )

    def add_postgres(self) -> None:
        """Add the PostgreSQL that the settings name, or an embedded one."""
        if url := self.settings.database_url:
            self.external["postgres"] = ComponentState(
                "postgres", "external", message="yours (POSTIL_DATABASE_URL)"
            )
            self.connections.append(lambda: {"database_url": url})
            _migrate(url)
            return
        postgres = EmbeddedPostgres(self.data_dir / "postgres")
        self.connections.append(lambda: {"database_url": postgres.url})

        def prepare() -> str:
            postgres.wait_ready()
            _migrate(postgres.url)
            return f"data in {self.data_dir}"

        self.servers["postgres"] = Server(
            postgres, ComponentState("postgres", "starting", postgres_version()), prepare
        )

    def add_kafka(self, kind: str) -> str:
        """Add the Kafka that the settings name, or one of `kind`: embedded or memory. Returns its kind."""
        directory = self.data_dir / "kafka"
        if self.settings.kafka_bootstrap_servers:
            self.external["kafka"] = ComponentState(
                "kafka", "external", message="yours (POSTIL_KAFKA_BOOTSTRAP_SERVERS)"
            )
            connection = {
                name: value for name, value in self.settings.model_dump().items() if name.startswith("kafka_")
            }
            self.connections.append(lambda: connection)
            return "external"
        if kind == "memory":
            memory = MemoryKafka(directory, topic=self.settings.kafka_topic)
            self.connections.append(memory.settings)
            state = ComponentState("kafka", "starting", memory.version())
            self.servers["kafka"] = Server(memory, state, lambda: NOTICE)
            return kind
        broker = EmbeddedKafka(directory, progress=self.download)
        self.connections.append(broker.settings)
        state = ComponentState("kafka", "starting", jars.kafka_version())
        self.servers["kafka"] = Server(broker, state, lambda: _create_topic(self.settings, broker))
        return kind

    def download(self, done: int, total: int) -> None:
        """Report the progress of the download. Raises `EmbeddedError` if a stop was requested."""
        if self.stopping.is_set():
            raise EmbeddedError(
                "The download was interrupted.", advice="Start again: what has arrived is kept."
            )
        self.report.download(done, total)


def compose(settings: Settings, data_dir: Path, kafka: str, report: Reporter) -> Supervisor:
    """Return the supervisor of a stack in `data_dir`. `kafka` is ``embedded`` or ``memory``.

    Raises `EmbeddedError` if the dashboard's port is not free, and the errors of a migration of an external database.
    """
    logs = private_directory(data_dir / "logs")
    http_port = _http_port(settings)
    composition = _Composition(settings, data_dir, report)
    composition.add_postgres()
    kafka = composition.add_kafka(kafka)
    own: dict[str, Any] = {
        "kafka_topic": settings.kafka_topic,
        "kafka_partitions": settings.kafka_partitions,
        "tenant": settings.tenant,
        "data_dir": str(data_dir),
        "audit_dir": str((settings.audit_dir or data_dir / "audit").absolute()),
        "http_host": settings.http_host,
        "http_port": http_port,
    }

    def connection() -> dict[str, Any]:
        """The settings of the programs: known only when all servers have been spawned."""
        fields = dict(own)
        for part in composition.connections:
            fields |= part()
        return {
            name: value if isinstance(value, int) else str(value)
            for name, value in fields.items()
            if value is not None
        }

    def environment() -> dict[str, str]:
        return {f"POSTIL_{name.upper()}": str(value) for name, value in connection().items()}

    supervisor_process = psutil.Process()
    stack = StackState(
        pid=supervisor_process.pid,
        created=supervisor_process.create_time(),
        settings=own,
        http_url=f"http://{settings.http_host}:{http_port}",
        kafka=kafka,
        processes=dict(composition.external),
    )
    stack.write(data_dir)
    for name, state in composition.external.items():
        report.component(name, state, 0.0)
    return Supervisor(
        data_dir=data_dir,
        servers=composition.servers,
        programs=programs(logs, environment),
        stack=stack,
        settings=connection,
        report=report.component,
        stopping=composition.stopping,
    )


def _http_port(settings: Settings) -> int:
    """Return the dashboard's port. Raises `EmbeddedError` if it is not free, before anything is started."""
    if settings.http_port == 0:
        return tcp_ports.choose("The dashboard", None, settings.data_dir.absolute() / "http.port")
    refusal = tcp_ports.refusal(settings.http_port, settings.http_host)
    if refusal is None:
        return settings.http_port
    if refusal.errno == errno.EADDRINUSE:
        raise PortBusy(
            f"Port {settings.http_port} of {settings.http_host} is taken, the dashboard cannot use it.",
            advice="Stop the process that uses it, or choose another: postil up --port N",
        )
    raise EmbeddedError(
        f"The dashboard cannot listen on {settings.http_host} port {settings.http_port}: {refusal.strerror}.",
        advice="Correct POSTIL_HTTP_HOST, or choose another port: postil up --port N",
    )


def _migrate(url: str) -> None:
    from postil.postgres.migrate import migrate  # noqa: PLC0415 (0.4 s of imports, while the servers start)

    migrate(url)


def _create_topic(settings: Settings, broker: EmbeddedKafka) -> None:
    """Create the topic if it is missing, so that every program finds it. An existing topic is never changed."""
    try:
        from postil.kafka import Topics  # noqa: PLC0415 (needs an extra)
    except ModuleNotFoundError as missing:
        raise missing_extra("confluent-kafka") from missing
    topics = Topics(settings.model_copy(update=broker.settings()).kafka_client(), timeout=30.0)
    try:
        topics.create(settings.kafka_topic, settings.kafka_partitions)
    except PostilError as error:
        raise EmbeddedError(
            f"The topic {settings.kafka_topic} cannot be created: {error.what}",
            advice=f"See Kafka's log: {broker.log}",
        ) from error
