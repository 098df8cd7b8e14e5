"""Apache Kafka from its own jars: one KRaft node, its own password, on loopback only."""

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
from postil_stack.servers import jars
from postil_stack.servers import tcp_ports as ports
from postil_stack.servers.child import Child, last_line, open_log, spawn
from postil_stack.servers.java import QUIET, AheadOfTimeCache, java
from postil_stack.servers.private_files import private_directory, secret, write_private

USER = "postil"
HEAP_MB = 384

# Durable against kill -9 as it is: what was acknowledged is in the page cache, which outlives the process.
# Against a power cut a single node has no replica to lean on, so it is told to flush: every second, or 10,000 messages
# per partition, whichever is first; the relay can always publish again what the log in Postgres holds.
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
    # The log is kept whole: how long is for its owner to say, not for a default.
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "offsets.retention.minutes": "5256000",
    "log.flush.interval.ms": "1000",
    "log.flush.interval.messages": "10000",
    "log.segment.bytes": "134217728",
    # A partition's index files are allocated at this size; the default of 10 MB suits no laptop.
    "log.index.size.max.bytes": "2097152",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
    # After kill -9 the controller lets the broker in again only when its old session has expired (9 s by default).
    # A clean stop ends the session, so a warm start waits for nothing.
    "broker.session.timeout.ms": "2500",
    "broker.heartbeat.interval.ms": "500",
}


class EmbeddedKafka:
    """One Kafka node, broker and controller, whose log lives under `directory`.

    Clients and the controller's own listener ask for a random password (SASL/PLAIN), kept in files of mode 0600.
    `port`: clients connect here (default: last time's port, else a free one). `properties`: more of server.properties.
    `progress` is told about the one-time download. `aot_output`: write Java's ahead-of-time cache there (see `train`).

    Two of these on one directory are the caller's to prevent (`postil up` holds a lock).
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
        self._wanted_port = port
        self._progress = progress
        self._properties = {**PROPERTIES, **(properties or {})}
        self._child: Child | None = None
        self._aot_output = aot_output
        self.port = 0

    # ------------------------------------------------------------------ what callers need to know

    @cached_property
    def password(self) -> str:
        """The clients' password."""
        return secret(self.directory / "password")

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients."""
        return f"{ports.LOOPBACK}:{self.port}"

    def settings(self) -> dict[str, str]:
        """What `postil.settings.Settings` needs to connect."""
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
        """The broker's version, as in ``4.3.1``."""
        return jars.kafka_version()

    # ------------------------------------------------------------------ life

    def start(self, timeout: float = 60.0) -> Self:
        """Start and wait until it serves clients.

        Raises `EmbeddedError` (`DownloadFailed`, `PortBusy`, `DiskFull`, `StartFailed`, `MissingExtra`), never hangs.
        """
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> Child:
        """Format the log directory if it is new, start the server, and return without waiting for it."""
        private_directory(self.directory)
        class_path = os.pathsep.join(map(str, jars.class_path(self._progress)))
        self.end_leftovers()
        self.port = ports.choose("Kafka", self._wanted_port, self.directory / "port")
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
        """Wait until clients are served; the broker opens their port last of all."""
        assert self._child is not None, "spawn() comes first"
        self._child.wait_until(self.is_ready, timeout)

    def is_ready(self) -> bool:
        """Whether clients are served."""
        return ports.answers(self.port)

    def stop(self, timeout: float = 30.0) -> None:
        """Shut down cleanly; after `timeout` seconds without regard."""
        if self._child is not None:
            self._child.end(signal.SIGTERM, timeout)
            self._child = None

    def kill(self) -> None:
        """End it as a power cut would."""
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

    # ------------------------------------------------------------------ inside

    def _write_configuration(self) -> None:
        controller = ports.choose("Kafka's controller", None, self.directory / "controller.port")
        listeners = f"CLIENT://{self.bootstrap_servers},CONTROLLER://{ports.LOOPBACK}:{controller}"
        jaas = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{USER}" password="{self.password}" user_{USER}="{self.password}";'
        )
        properties = {
            **self._properties,
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"{ports.LOOPBACK}:{controller}",
            "listener.name.client.plain.sasl.jaas.config": jaas,
            "listener.name.controller.plain.sasl.jaas.config": jaas,
            "log.dirs": str(self.data).replace("\\", "\\\\"),
        }
        write_private(self.configuration, "".join(f"{name}={value}\n" for name, value in properties.items()))

    def _format(self, class_path: str) -> None:
        """Give the log directory its identity. Interrupted, it is formatted again: nothing is in it yet."""
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
            done = subprocess.run(  # noqa: S603 (our own command, no shell)
                [java(), *_JVM, "-cp", class_path, *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.directory, env=_environment(), check=False,
            )  # fmt: skip
        if done.returncode:
            raise start_failure("Kafka (format)", last_line(self.log, start), self.log)

    def end_leftovers(self) -> int:
        """End a broker that outlived its supervisor, which would keep the lock of its log; return how many there were."""
        if not self.configuration.exists():
            return 0
        leftovers = [found for found in psutil.process_iter() if self._is_ours(found)]
        for process in leftovers:
            process.terminate()
        for process in psutil.wait_procs(leftovers, timeout=15)[1]:
            process.kill()
        if psutil.wait_procs(leftovers, timeout=5)[1]:
            raise EmbeddedError(
                f"An old Kafka in {self.directory} does not end.", advice="End it by hand, then start again."
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
    "-XX:+UseSerialGC",  # on a small heap the cheapest, in memory, in threads and at the start
    # The quick compiler alone. A broker moves bytes the kernel copies: measured on two cores, the optimising compiler
    # costs 0.5 s of the 1.2 s start and twice the CPU per 100,000 messages of the first minutes, for no more throughput.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


def _environment() -> dict[str, str]:
    """The caller's, without what would make Java behave differently."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"):
        mine.pop(name, None)
    return mine


def _cache() -> AheadOfTimeCache:
    return AheadOfTimeCache(jars.cache_directory(), "kafka", _JVM)


def train(begun: Callable[[EmbeddedKafka], None] = lambda _: None) -> bool:
    """Write Java's ahead-of-time cache for later starts, by a short run in a temporary directory; once per user, ~10 s.

    `begun` is given that run, so that it can be killed. Returns whether a cache is there afterwards.
    A cache is a convenience: that it cannot be written is no error.
    """
    cache = _cache()
    if cache.exists:
        return True
    try:
        with cache.writing() as output, TemporaryDirectory(prefix="postil-") as place:
            if output is not None:
                trainee = EmbeddedKafka(Path(place), aot_output=output)
                begun(trainee)
                psutil.Process(trainee.spawn().pid).nice(10)
                trainee.wait_ready()
                trainee.stop()
    except (PostilError, psutil.Error, OSError):
        return False
    return cache.exists
