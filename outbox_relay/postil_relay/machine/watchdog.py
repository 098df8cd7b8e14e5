"""Detects a Kafka that acknowledges nothing. Pure."""

from __future__ import annotations

from postil_relay.machine.commands import Commands, Stalled
from postil_relay.machine.limits import Limits


class Watchdog:
    """Measures how long Kafka has been silent.

    The client's own timeout is off: an idempotent producer that drops a message could leave a gap in a run.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._moved_at = 0.0
        self._warned_at = 0.0

    def moved(self, now: float) -> None:
        """Kafka reported on a message, or a message was sent while nothing was in flight."""
        self._moved_at = now

    def must_replace(self, now: float) -> bool:
        """Whether the silence is so long that only a new producer can help."""
        return now - self._moved_at >= self._limits.replaced_after

    def warn(self, now: float, in_flight: int) -> Commands:
        """Return a `Stalled` if the silence is long, at most once every `Limits.stalled_after` seconds."""
        silence = now - self._moved_at
        if silence < self._limits.stalled_after or now - self._warned_at < self._limits.stalled_after:
            return []
        self._warned_at = now
        return [Stalled(silence, in_flight)]
