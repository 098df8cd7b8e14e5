"""The components of a stack behind one small protocol, and the programs that the stack runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from postil_stack.errors import missing_extra
from postil_stack.servers.child import Child, spawn

READY_FD = "POSTIL_READY_FD"


class Component(Protocol):
    """A server or program that the supervisor runs. `is_ready` MUST NOT wait.

    `spawn` MUST return when the process is started. Only its first call may take long: it may download and initialise.
    """

    @property
    def child(self) -> Child | None:
        """The process, once spawned."""
        ...

    def spawn(self) -> Child:
        """Start the process, also after it has ended."""
        ...

    def is_ready(self) -> bool:
        """Whether it serves requests."""
        ...

    def stop(self, timeout: float = ...) -> None:
        """Stop it in order. Kills it after `timeout` seconds."""
        ...


@dataclass
class Program:
    """A long-running `postil` command. It writes ``ready`` to a separate pipe, and drains on SIGTERM."""

    label: str
    command: Sequence[str]
    log: Path
    environment: Callable[[], Mapping[str, str]]
    needs: Sequence[str] = ()
    child: Child | None = None
    _pipe: int | None = field(default=None, repr=False)
    _is_ready: bool = field(default=False, repr=False)

    def check(self) -> None:
        """Raise `MissingExtra` if a package that the program needs is not installed."""
        for package in self.needs:
            if find_spec(package) is None:
                raise missing_extra(package)

    def spawn(self) -> Child:
        """Start the program with a new pipe for ``ready``."""
        self._close()
        self._is_ready = False
        self._pipe, writing = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self.child = spawn(
                self.label,
                self.command,
                log=self.log,
                cwd=Path.cwd(),
                env={**os.environ, **self.environment(), READY_FD: str(writing)},
                pass_fds=[writing],
            )
        finally:
            os.close(writing)
        return self.child

    def is_ready(self) -> bool:
        """Whether the program has written ``ready`` since its last start."""
        if not self._is_ready and self._pipe is not None:
            try:
                self._is_ready = os.read(self._pipe, 64).startswith(b"ready")
            except BlockingIOError:
                return False
        return self._is_ready

    def stop(self, timeout: float = 15.0) -> None:
        """Let the program drain and end. Kills it after `timeout` seconds."""
        if self.child is not None:
            self.child.end(signal.SIGTERM, timeout)
            self.child = None
        self._close()

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def programs(logs: Path, environment: Callable[[], Mapping[str, str]]) -> dict[str, Program]:
    """Return the programs of a stack in the order of their start. They are stopped in the reverse order."""

    def program(name: str, label: str, arguments: Sequence[str], needs: Sequence[str]) -> Program:
        command = [sys.executable, "-P", "-m", "postil", *arguments]
        return Program(label, command, logs / f"{name}.log", environment, needs)

    return {
        "relay": program(
            "relay", "relay", ["relay"], ["postil_relay", "confluent_kafka", "structlog", "tenacity"]
        ),
        "audit": program(
            "audit", "audit log", ["consume", "audit"], ["postil_consumers", "confluent_kafka", "orjson"]
        ),
        "serve": program("serve", "dashboard", ["serve"], ["postil_consumers", "fastapi", "uvicorn"]),
    }
