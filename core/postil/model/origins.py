"""Origins: what started a run, and where a write comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postil.errors import InvalidInput
from postil.model.json_text import Json, check_text
from postil.model.values import checked

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""The header ``traceparent``: https://www.w3.org/TR/trace-context/#traceparent-header"""

MAX_LENGTH = 200


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


@dataclass(frozen=True)
class Context:
    """The distributed trace that a write belongs to, and what caused the write.

    Every event of the write carries both, as the CloudEvents attributes ``traceparent`` and ``causationid``.

    Raises `InvalidInput` if a part is not a text of 1 to 200 characters,
    or if `traceparent` is not in the form of W3C Trace Context.
    """

    traceparent: str | None = None
    """The W3C Trace Context header, as in ``00-<trace id>-<parent id>-01``. Defaults to None: not traced."""

    causation_id: str | None = None
    """The id of the message, event or request that caused the write. Defaults to None: unknown."""

    def __post_init__(self) -> None:
        for name, value in (("traceparent", self.traceparent), ("causation_id", self.causation_id)):
            field = f"context.{name}"
            if (
                value is not None
                and not 1 <= len(check_text(checked(value, str, field), field)) <= MAX_LENGTH
            ):
                raise InvalidInput(
                    f"{field} must have 1 to {MAX_LENGTH} characters, this has {len(value)}.", field=field
                )
        if self.traceparent is not None and not TRACEPARENT.fullmatch(self.traceparent):
            raise InvalidInput(
                f"context.traceparent is not in the form of W3C Trace Context: {self.traceparent!r}.",
                field="context.traceparent",
            )

    def as_json(self) -> dict[str, Json]:
        """Return the form that the write functions take."""
        parts: dict[str, Json] = {"traceparent": self.traceparent, "causation_id": self.causation_id}
        return {name: value for name, value in parts.items() if value is not None}
