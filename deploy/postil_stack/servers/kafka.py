"""Apache Kafka from its jars: one KRaft node on loopback only, with a random password."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import psutil

from postil.errors import PostilError
from postil_stack.errors import EmbeddedError, start_failure
from postil_stack.servers import jars, tcp_ports
from postil_stack.servers.child import Child, last_line, open_log, spawn
from postil_stack.servers.java import QUIET, AheadOfTimeCache, java
from postil_stack.servers.private_files import private_directory, secret, write_private

USER = "postil"
HEAP_MB = 384

# kill -9 loses nothing: acknowledged messages are in the page cache, which survives the process.
# A power cut could lose messages, because a single node has no replica. So it flushes every second or every 10,000 messages
# per partition, and the relay can publish again all that the event log in Postgres holds.
PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENT",
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Nothing is deleted: the retention is a decision of the operator, not of a default.
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "offsets.retention.minutes": "5256000",
    "log.flush.interval.ms": "1000",
    "log.flush.interval.messages": "10000",
    "log.segment.bytes": "134217728",
    # A partition's index files are allocated at this size; the default of 10 MB is too large for a laptop.
    "log.index.size.max.bytes": "2097152",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
    # After kill -9 the controller accepts the broker only when its old session has expired (default: 9 s).
    # A clean stop ends the session, so a warm start does not wait.
    "broker.session.timeout.ms": "2500",
    "broker.heartbeat.interval.ms": "500",
}


class EmbeddedKafka:
    """One Kafka node, broker and controller, with its log in `directory`.

    Clients and the controller's listener need a random password (SASL/PLAIN), stored in files of mode 0600.
    `port` is the clients' port. Defaults to that of the last start, or a free one. `properties` extends server.properties.
    `progress` is called during the one-time download. `aot_output` is where to write Java's ahead-of-time cache (see `train`).

    The caller must not start two of these in one directory (`postil up` holds a lock).
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        progress: jars.Progress | None = None,
        aot_output: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "kafka.log"
        self.configuration = self.directory / "server.properties"
        self._requested_port = port
        self._progress = progress
        self._properties = {**PROPERTIES, **(properties or {})}
        self._child: Child | None = None
        self._aot_output = aot_output
        self.port = 0

    # Attributes

    @cached_property
    def password(self) -> str:
        """The clients' password."""
        return secret(self.directory / "password")

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients."""
        return f"{tcp_ports.LOOPBACK}:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the fields of `postil.settings.Settings` with which clients connect."""
        return {
            "kafka_bootstrap_servers": self.bootstrap_servers,
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_username": USER,
            "kafka_password": self.password,
        }

    @property
    def child(self) -> Child | None:
        """The server's process, once spawned."""
        return self._child

    @staticmethod
    def version() -> str:
        """Return the broker's version, for example ``4.3.1``."""
        return jars.kafka_version()

    # Start and stop

    def start(self, timeout: float = 60.0) -> Self:
        """Start the server and wait until it serves clients, at most `timeout` seconds.

        Raises `EmbeddedError` (`DownloadFailed`, `PortBusy`, `DiskFull`, `StartFailed`, `MissingExtra`).
        """
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> Child:
        """Format the log directory if it is new, start the server, and return without waiting for it."""
        private_directory(self.directory)
        class_path = os.pathsep.join(map(str, jars.class_path(self._progress)))
        self.end_leftovers()
        self.port = tcp_ports.choose("Kafka", self._requested_port, self.directory / "port")
        self._write_configuration()
        if not (self.data / "meta.properties").exists():
            self._format(class_path)
        ahead = [f"-XX:AOTCacheOutput={self._aot_output}"] if self._aot_output else _cache().options()
        self._child = spawn(
            "Kafka",
            [java(), *_JVM, *ahead, "-cp", class_path, "kafka.Kafka", self.configuration],
            log=self.log, cwd=self.directory, env=_environment(),
        )  # fmt: skip
        return self._child

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the broker serves clients. It opens their port last."""
        assert self._child is not None, "spawn() comes first"
        self._child.wait_until(self.is_ready, timeout)

    def is_ready(self) -> bool:
        """Whether the broker serves clients."""
        return tcp_ports.is_open(self.port)

    def stop(self, timeout: float = 30.0) -> None:
        """Shut down cleanly. Kills the server after `timeout` seconds."""
        if self._child is not None:
            self._child.end(signal.SIGTERM, timeout)
            self._child = None

    def kill(self) -> None:
        """Kill the server without a shutdown."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
            self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Configuration and leftovers

    def _write_configuration(self) -> None:
        controller = tcp_ports.choose("Kafka's controller", None, self.directory / "controller.port")
        listeners = f"CLIENT://{self.bootstrap_servers},CONTROLLER://{tcp_ports.LOOPBACK}:{controller}"
        jaas = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{USER}" password="{self.password}" user_{USER}="{self.password}";'
        )
        properties = {
            **self._properties,
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"{tcp_ports.LOOPBACK}:{controller}",
            "listener.name.client.plain.sasl.jaas.config": jaas,
            "listener.name.controller.plain.sasl.jaas.config": jaas,
            "log.dirs": str(self.data).replace("\\", "\\\\"),
        }
        write_private(self.configuration, "".join(f"{name}={value}\n" for name, value in properties.items()))

    def _format(self, class_path: str) -> None:
        """Format the log directory. If this is interrupted, the next start formats it again: it is still empty."""
        private_directory(self.data)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command: list[str | Path] = [
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            f"--cluster-id={cluster}",  # one argument: the id may begin with a dash
            "--config",
            self.configuration,
        ]
        with open_log(self.log) as output:
            start = output.tell()
            result = subprocess.run(  # noqa: S603 (our own command, no shell)
                [java(), *_JVM, "-cp", class_path, *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.directory, env=_environment(), check=False,
            )  # fmt: skip
        if result.returncode:
            raise start_failure("Kafka (format)", last_line(self.log, start), self.log)

    def end_leftovers(self) -> int:
        """Stop brokers that survived their supervisor, because they hold the lock of the log. Returns how many there were."""
        if not self.configuration.exists():
            return 0
        leftovers = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in leftovers:
            process.terminate()
        for process in psutil.wait_procs(leftovers, timeout=15)[1]:
            process.kill()
        if psutil.wait_procs(leftovers, timeout=5)[1]:
            raise EmbeddedError(
                f"An old Kafka in {self.directory} does not stop.",
                advice="Stop it by hand, then start again.",
            )
        return len(leftovers)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "java" and str(self.configuration) in process.cmdline()
        except (psutil.Error, OSError):
            return False


_JVM = (
    *QUIET,
    f"-Xmx{HEAP_MB}m",
    "-Xms64m",
    "-XX:+UseSerialGC",  # the cheapest on a small heap, in memory, threads and start time
    # Only the fast compiler. Measured on two cores, the optimising compiler costs 0.5 s of the 1.2 s start
    # and twice the CPU per 100,000 messages in the first minutes, and does not increase the throughput.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


def _environment() -> dict[str, str]:
    """Return the caller's environment without variables that change Java's behaviour."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"):
        environment.pop(name, None)
    return environment


def _cache() -> AheadOfTimeCache:
    return AheadOfTimeCache(jars.cache_directory(), "kafka", _JVM)


def train(on_start: Callable[[EmbeddedKafka], None] = lambda _: None) -> bool:
    """Write Java's ahead-of-time cache for later starts, by a short run in a temporary directory: once per user, about 10 s.

    `on_start` is called with that run, so that the caller can kill it. Returns whether the cache exists afterwards.
    The cache is only a convenience, so a failure to write it is not an error.
    """
    cache = _cache()
    if cache.exists:
        return True
    try:
        with cache.writing() as output, TemporaryDirectory(prefix="postil-") as place:
            if output is not None:
                trainee = EmbeddedKafka(Path(place), aot_output=output)
                on_start(trainee)
                psutil.Process(trainee.spawn().pid).nice(10)
                trainee.wait_ready()
                trainee.stop()
    except (PostilError, psutil.Error, OSError):
        return False
    return cache.exists
