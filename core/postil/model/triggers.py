"""Triggers: what started a run."""

from __future__ import annotations

from dataclasses import dataclass

from postil.model.json_text import Json


@dataclass(frozen=True)
class Trigger:
    """What started a run."""

    source: str = "sdk"
    """Where the start came from: ``sdk``, ``api``, ``dashboard``, ``cli``, ``mcp``, ``schedule``, … Defaults to ``sdk``."""

    action: str = "trigger"
    """What was done: ``trigger``, ``replay``, ``test``, … Defaults to ``trigger``."""

    schedule_id: str | None = None
    """The schedule that started the run. Defaults to None: no schedule."""

    def as_json(self) -> dict[str, Json]:
        """Return the form that the write functions take."""
        return {"source": self.source, "action": self.action, "schedule_id": self.schedule_id}
