"""The retry of one run: which of its events were refused, and in which phase the retry is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from postil_relay.machine.rows import Verdict


class RetryPhase(Enum):
    """The phases of a go-back-N retry."""

    WAITING = auto()
    """The run's messages in flight resolve, and the backoff passes. Nothing more of the run is sent."""
    PROBING = auto()
    """The refused message is in flight, and no other message of any run is."""
    PARKING = auto()
    """The message was refused although it was sent alone: the database records that the run is parked."""
    RESENT = auto()
    """All events from the refused one on were sent again. New events of the run follow them."""


@dataclass(slots=True)
class RunRetry:
    """A run that goes back: everything from `first` on is sent again, once nothing of the run is in flight."""

    key: bytes
    barrier: int
    """Id of the last batch that may contain messages of the run in flight."""
    retry_at: float
    phase: RetryPhase = RetryPhase.WAITING
    attempts: int = 1
    refused: dict[int, tuple[Verdict, str]] = field(default_factory=dict[int, tuple[Verdict, str]])
    """The refused events, by run_seq."""
    held: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """The events that wait, as (batch, run_seq). `Batch.held` counts them."""
    resume_from: int | None = None
    """If set, every event before this run_seq was sent already."""

    @property
    def first(self) -> int:
        """The run_seq to go back to."""
        return min(self.refused) if self.resume_from is None else self.resume_from

    @property
    def next_probe(self) -> float:
        """The run_seq of the first event refused permanently, or infinity. Events before it are sent without a probe."""
        return min((n for n, (verdict, _) in self.refused.items() if verdict is Verdict.REFUSED), default=inf)

    @property
    def needs_probe(self) -> bool:
        """Whether the next event to send was refused permanently."""
        return self.first == self.next_probe

    @property
    def blocks(self) -> bool:
        """Whether new events of the run wait."""
        return self.phase is not RetryPhase.RESENT

    def refuse(self, run_seq: int, verdict: Verdict, reason: str) -> None:
        """One of the run's events was refused: go back to it at least."""
        self.refused[run_seq] = (verdict, reason)
        if self.resume_from is not None:
            self.resume_from = min(self.resume_from, run_seq)

    def clear_probe(self, barrier: int, now: float) -> int:
        """Kafka accepted the probed event: continue behind it. Returns its run_seq."""
        probed = self.first
        del self.refused[probed]
        self.resume_from = probed + 1
        self.phase = RetryPhase.WAITING
        self.barrier = barrier
        self.retry_at = now
        return probed

    def on_resent(self) -> None:
        """Every event before the next probe was sent again."""
        if self.next_probe == inf:
            self.phase = RetryPhase.RESENT
            self.refused.clear()
            self.resume_from = None
        else:
            self.resume_from = int(self.next_probe)
