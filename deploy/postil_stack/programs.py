"""The parts of a stack, each behind the same few methods, and how each is started and ended."""

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


class Part(Protocol):
    """What the supervisor asks of a part. `spawn` returns at once; `is_ready` never waits."""

    @property
    def child(self) -> Child | None:
        """Its process, once spawned."""
        ...

    def spawn(self) -> Child:
        """Start it, again if need be."""
        ...

    def is_ready(self) -> bool:
        """Whether it does its work now."""
        ...

    def stop(self, timeout: float = ...) -> None:
        """Ask it to end in order; insist after `timeout` seconds."""
        ...


@dataclass
class Program:
    """A long-running `postil` command: it says ``ready`` on a pipe of its own, and drains on SIGTERM."""

    label: str
    command: Sequence[str]
    log: Path
    environment: Callable[[], Mapping[str, str]]
    needs: Sequence[str] = ()
    child: Child | None = None
    _pipe: int | None = field(default=None, repr=False)
    _said_ready: bool = field(default=False, repr=False)

    def check(self) -> None:
        """Raise `MissingExtra` where a package it needs is not installed."""
        for package in self.needs:
            if find_spec(package) is None:
                raise missing_extra(package)

    def spawn(self) -> Child:
        """Start it, with a new pipe to say ``ready`` on."""
        self._close()
        self._said_ready = False
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self.child = spawn(
                self.label,
                self.command,
                log=self.log,
                cwd=Path.cwd(),
                env={**os.environ, **self.environment(), READY_FD: str(theirs)},
                pass_fds=[theirs],
            )
        finally:
            os.close(theirs)
        return self.child

    def is_ready(self) -> bool:
        """Whether it said so since it was started."""
        if not self._said_ready and self._pipe is not None:
            try:
                self._said_ready = os.read(self._pipe, 64).startswith(b"ready")
            except BlockingIOError:
                return False
        return self._said_ready

    def stop(self, timeout: float = 15.0) -> None:
        """Ask it to drain and end."""
        if self.child is not None:
            self.child.end(signal.SIGTERM, timeout)
            self.child = None
        self._close()

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def programs(logs: Path, environment: Callable[[], Mapping[str, str]]) -> dict[str, Program]:
    """The programs of a stack, in the order they are started; they are ended in the reverse."""

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
