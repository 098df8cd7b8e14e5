"""Triggers: what started a run."""

from __future__ import annotations

from dataclasses import dataclass

from postil.model.json_text import Json


@dataclass(frozen=True)
class Trigger:
    """What set a run off: `source` (sdk, api, dashboard, cli, mcp, schedule, …) by `action` (trigger, replay, test, …)."""

    source: str = "sdk"
    action: str = "trigger"
    schedule_id: str | None = None

    def as_json(self) -> dict[str, Json]:
        """Return the form the write functions take."""
        return {"source": self.source, "action": self.action, "schedule_id": self.schedule_id}
