"""The relay's bounds on memory and time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes, rows and seconds."""

    bytes: int = 32 << 20
    """Values that are fetched and not yet settled. Nothing is fetched beyond this."""
    rows: int = 50_000
    """Rows that are fetched and not yet settled."""
    large: int = 900_000
    """A value beyond this may be refused because of its size. It is sent alone, before what follows it."""
    save_every: float = 0.5
    """Pause between two saves of the cursor."""
    backoff: float = 0.1
    """Pause before the first retry of a run. It doubles with each refusal, up to `pause`."""
    pause: float = 5.0
    """Pause of the whole relay after a refusal that concerns the topic."""
    stalled_after: float = 10.0
    """Time without an acknowledgement after which the relay logs a warning."""
    replaced_after: float = 120.0
    """Time without an acknowledgement after which the relay makes a new producer."""
