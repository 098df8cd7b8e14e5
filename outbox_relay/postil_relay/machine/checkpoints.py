"""The saved cursor: what is settled, what is saved, and when to save. Pure."""

from __future__ import annotations

from postil_relay.machine.commands import Commands, Save
from postil_relay.machine.rows import Cursor


class Checkpoints:
    """Saves the cursor at most once every `interval` seconds, and one save at a time."""

    def __init__(self, cursor: Cursor, interval: float) -> None:
        self.settled = cursor
        """Every event before it is acknowledged, or belongs to a parked run."""
        self.saved = cursor
        self._interval = interval
        self._dirty = False
        self._saving = False
        self._saved_at = 0.0

    @property
    def pending(self) -> bool:
        """Whether a save is running or due later."""
        return self._dirty or self._saving

    def advance(self, cursor: Cursor) -> None:
        """Everything before `cursor` is settled now."""
        self.settled = cursor
        self._dirty = True

    def skip(self, cursor: Cursor) -> None:
        """Nothing had to be published before `cursor`. This alone is not worth a write."""
        self.settled = cursor

    def save(self, now: float, *, at_once: bool) -> Commands:
        """Return a `Save` if the cursor moved and a save is due. `at_once` ignores the interval."""
        due = at_once or now - self._saved_at >= self._interval
        if not self._dirty or self._saving or not due:
            return []
        self._dirty, self._saving, self._saved_at = False, True, now
        return [Save(self.settled)]

    def on_saved(self, cursor: Cursor) -> None:
        """A `Save` is done."""
        self.saved = cursor
        self._saving = False

    def forget(self) -> None:
        """Save nothing more: the lease is lost."""
        self._dirty = self._saving = False
