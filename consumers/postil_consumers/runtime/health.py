"""The state of a consumer, for logs, `postil doctor` and the dashboard: a small file that is replaced when it changes."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

_WRITE_INTERVAL = 1.0  # seconds


@dataclass
class Health:
    """The state of one consumer.

    ``green``: it works. ``yellow``: it waits for something and retries.
    ``red``: an operator must act; `what` and `advice` state the problem and the repair.
    """

    sink: str
    state: Literal["green", "yellow", "red"] = "yellow"
    what: str = "starting"
    advice: str = ""
    applied: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    forks: int = 0
    retries: int = 0
    last_success: str | None = None
    last_error: str | None = None
    lag: dict[str, int | None] = field(default_factory=dict[str, "int | None"])

    def mark_healthy(self) -> None:
        """Set the state to green."""
        self.state, self.what, self.advice = "green", "", ""

    def mark_trouble(self, state: Literal["yellow", "red"], what: str, advice: str) -> None:
        """Set the state, the problem and the repair, and record the problem as the last error."""
        self.state, self.what, self.advice = state, what, advice
        self.last_error = f"{_now()} {what}"

    def mark_delivery(self) -> None:
        """Record that a delivery was made durable now."""
        self.last_success = _now()


class HealthFile:
    """Writes a `Health` to a file when its state changes, and at most once a second otherwise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = 0.0
        self._written = ""
        self._state: str = ""

    def __call__(self, health: Health) -> None:
        """Write the health if it changed. Write errors are ignored: the log has the same."""
        if health.state == self._state and time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _WRITE_INTERVAL
        text = json.dumps({"pid": os.getpid(), **asdict(health)}, indent=2) + "\n"
        if text == self._written:
            return
        temporary = self._path.with_suffix(".part")
        try:
            temporary.write_text(text, "utf-8")
            temporary.replace(self._path)
        except OSError:
            return
        self._written, self._state = text, health.state


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
