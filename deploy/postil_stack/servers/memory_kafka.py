"""A replacement for Kafka on a machine without network: librdkafka's mock cluster, in memory, in a separate process.

Its content is lost when the process ends, and it needs no password. It is for a first look only, and the start prints this.
"""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Self

from postil_stack.servers.child import Child, spawn
from postil_stack.servers.private_files import private_directory, write_private

NOTICE = "in memory: its content is lost at the end"


class MemoryKafka:
    """The mock cluster, with the same methods as `EmbeddedKafka`. It has `topic` from the start."""

    def __init__(self, directory: Path, *, topic: str) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "memory.log"
        self._topic = topic
        self._address_file = self.directory / "bootstrap.servers"
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The process that holds the cluster, once spawned."""
        return self._child

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients. Available once the cluster is ready."""
        return self._address_file.read_text("utf-8").strip()

    def settings(self) -> dict[str, str]:
        """Return the fields of `postil.settings.Settings` with which clients connect."""
        return {"kafka_bootstrap_servers": self.bootstrap_servers, "kafka_security_protocol": "PLAINTEXT"}

    @staticmethod
    def version() -> str:
        """Return the version of librdkafka, marked as memory."""
        return f"memory (librdkafka {package_version('confluent-kafka')})"

    def start(self, timeout: float = 30.0) -> Self:
        """Start the cluster and wait until it serves clients."""
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> Child:
        """Start the cluster and wait until its address is known, about 0.2 s, because librdkafka chooses it."""
        private_directory(self.directory)
        self._address_file.unlink(missing_ok=True)
        command: list[str | Path] = [sys.executable, "-P", "-m", __name__, self._address_file, self._topic]
        self._child = spawn("Kafka (memory)", command, log=self.log, cwd=self.directory)
        self._child.wait_until(self.is_ready, 30.0)
        return self._child

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until the cluster serves clients."""
        assert self._child is not None, "spawn() comes first"
        self._child.wait_until(self.is_ready, timeout)

    def is_ready(self) -> bool:
        """Whether the cluster serves clients."""
        return self._address_file.exists()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop the cluster. Its content is lost."""
        if self._child is not None:
            self._child.end(signal.SIGTERM, timeout)
            self._child = None


def serve(address_file: Path, topic: str) -> None:
    """Run a mock cluster until a signal ends this process, and write its address to `address_file`."""
    from confluent_kafka import Producer  # noqa: PLC0415 (an extra, needed only here)

    holder = Producer({"bootstrap.servers": "memory", "test.mock.num.brokers": 1, "log_level": 3})
    brokers = holder.list_topics(topic=topic, timeout=10).brokers.values()  # a request for a topic creates it
    write_private(address_file, ",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    # Blocked before librdkafka starts its threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(Path(sys.argv[1]), sys.argv[2])
