"""How a consumer is doing, for logs, `postil doctor` and the dashboard: a small file, replaced as it changes."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal


@dataclass
class Health:
    """green: works · yellow: waits for something that is tried again · red: a person must act (`what`, `advice`)."""

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

    def works(self) -> None:
        """Nothing is in the way."""
        self.state, self.what, self.advice = "green", "", ""

    def troubled(self, state: Literal["yellow", "red"], what: str, advice: str) -> None:
        """Something is; red stays until it works again."""
        self.state, self.what, self.advice = state, what, advice
        self.last_error = f"{_now()} {what}"

    def delivered(self) -> None:
        """Something was made durable."""
        self.last_success = _now()


class HealthFile:
    """Writes a `Health` to a file, at most once a second unless told to write at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = 0.0
        self._written = ""

    def __call__(self, health: Health, *, now: bool = False) -> None:
        """Write it if it changed. A file that cannot be written is no reason to stop: the log says the same."""
        if not now and time.monotonic() < self._due:
            return
        self._due = time.monotonic() + 1
        text = json.dumps({"pid": os.getpid(), **asdict(health)}, indent=2) + "\n"
        if text == self._written:
            return
        part = self._path.with_suffix(".part")
        try:
            part.write_text(text, "utf-8")
            part.replace(self._path)
        except OSError:
            return
        self._written = text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
