"""The state of the relay, as the database records it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from postil.model.limits import LANES
from postil.model.relay_state import LATE_SECONDS


@dataclass(frozen=True, slots=True)
class Status:
    """The row of ``postil.relay_status``. `unpublished` is counted up to 100,000."""

    lanes_owned: int
    owners: list[str] | None
    epoch: int
    moved_at: datetime
    unpublished: int
    oldest_unpublished: datetime | None
    parked_runs: int

    @property
    def healthy(self) -> bool:
        """Whether every lane has an owner, no event has waited for more than `LATE_SECONDS`, and no run is parked."""
        return self.lanes_owned == LANES and self._oldest_age <= LATE_SECONDS and not self.parked_runs

    @property
    def _oldest_age(self) -> float:
        """For how many seconds the oldest unpublished event has waited; 0 if there is none."""
        if self.oldest_unpublished is None:
            return 0.0
        return (datetime.now(UTC) - self.oldest_unpublished).total_seconds()

    def as_dict(self) -> dict[str, Any]:
        """Return the values for ``--json``."""
        return asdict(self) | {"healthy": self.healthy}

    def lines(self) -> list[tuple[str, str]]:
        """Return labels and texts for a terminal."""
        waiting = f"{self.unpublished:,}" if self.unpublished < 100_000 else "100,000 or more"
        if self.oldest_unpublished is not None:
            waiting += f", the oldest for {self._oldest_age:,.1f} s"
        return [
            ("lanes owned", f"{self.lanes_owned} of {LANES}"),
            ("by", ", ".join(self.owners or ["no relay: start `postil relay`"])),
            ("epoch", f"{self.epoch:,}"),
            (
                "last moved",
                f"{self.moved_at:%F %T} UTC" if self.moved_at.tzinfo is UTC else f"{self.moved_at:%F %T %Z}",
            ),
            ("unpublished", waiting),
            (
                "parked runs",
                f"{self.parked_runs:,}" + (": see `postil relay parked`" if self.parked_runs else ""),
            ),
        ]


def read_status(connection: Connection[Any]) -> Status:
    """Read the state as of now."""
    with connection.cursor(row_factory=class_row(Status)) as cursor:
        status = cursor.execute("select * from postil.relay_status").fetchone()
    assert status is not None
    return status
