"""Kafka's stand-in for a machine without network: librdkafka's mock cluster, in memory, in a process of its own.

Nothing in it survives its process, and it asks for no password: for a first look only, and announced as such.
"""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Self

from postil_stack.servers.child import Child, spawn
from postil_stack.servers.private_files import private_directory, write_private

NOTICE = "in memory: nothing in it survives"


class MemoryKafka:
    """The mock cluster, with the same methods as `EmbeddedKafka`; `topic` is there from the start."""

    def __init__(self, directory: Path, *, topic: str) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "memory.log"
        self._topic = topic
        self._answer = self.directory / "bootstrap.servers"
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The process that holds the cluster, once spawned."""
        return self._child

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients, once it is ready."""
        return self._answer.read_text("utf-8").strip()

    def settings(self) -> dict[str, str]:
        """What `postil.settings.Settings` needs to connect."""
        return {"kafka_bootstrap_servers": self.bootstrap_servers, "kafka_security_protocol": "PLAINTEXT"}

    @staticmethod
    def version() -> str:
        """Which mock it is."""
        return f"memory (librdkafka {package_version('confluent-kafka')})"

    def start(self, timeout: float = 30.0) -> Self:
        """Start it and wait until clients are served."""
        self.spawn()
        self.wait_ready(timeout)
        return self

    def spawn(self) -> Child:
        """Start it; its address is not ours to choose, so wait (0.2 s) until it is known."""
        private_directory(self.directory)
        self._answer.unlink(missing_ok=True)
        command: list[str | Path] = [sys.executable, "-P", "-m", __name__, self._answer, self._topic]
        self._child = spawn("Kafka (memory)", command, log=self.log, cwd=self.directory)
        self._child.wait_until(self.is_ready, 30.0)
        return self._child

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until clients are served."""
        assert self._child is not None, "spawn() comes first"
        self._child.wait_until(self.is_ready, timeout)

    def is_ready(self) -> bool:
        """Whether clients are served."""
        return self._answer.exists()

    def stop(self, timeout: float = 10.0) -> None:
        """End it, and all that is in it."""
        if self._child is not None:
            self._child.end(signal.SIGTERM, timeout)
            self._child = None


def serve(answer: Path, topic: str) -> None:
    """Hold a mock cluster until a signal ends this process; write its address to `answer`."""
    from confluent_kafka import Producer  # noqa: PLC0415 (an extra: only who runs this needs it)

    holder = Producer({"bootstrap.servers": "memory", "test.mock.num.brokers": 1, "log_level": 3})
    brokers = holder.list_topics(topic=topic, timeout=10).brokers.values()  # asking for a topic makes it
    write_private(answer, ",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    # Blocked before librdkafka starts its threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(Path(sys.argv[1]), sys.argv[2])
