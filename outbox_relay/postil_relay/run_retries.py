"""The retries of runs whose events were refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from postil_relay.commands import Verdict


class Stage(Enum):
    """Where a run is in its go-back-N."""

    WAITING = auto()  # its messages in flight resolve; nothing more of it is sent
    TRIED_ALONE = auto()  # the refused message is in flight, and nothing else is
    PARKING = auto()  # refused alone: being written down
    RESENT = auto()  # sent again from the refused event on; new events follow it


@dataclass(slots=True)
class Recovery:
    """A run that goes back: everything from `first` on is sent again, once nothing of it is in flight."""

    key: bytes
    barrier: int  # the last batch that may contain messages of it in flight
    retry_at: float
    stage: Stage = Stage.WAITING
    attempts: int = 1
    refused: dict[int, tuple[Verdict, str]] = field(default_factory=dict[int, tuple[Verdict, str]])
    held: set[tuple[int, int]] = field(
        default_factory=set[tuple[int, int]]
    )  # (batch, run_seq), counted in Batch.held
    resume_from: int | None = None  # everything before it is sent already

    @property
    def first(self) -> int:
        """The run_seq to go back to."""
        return min(self.refused) if self.resume_from is None else self.resume_from

    @property
    def next_suspect(self) -> float:
        """The first event refused for good (infinity where there is none): what is before it is sent without it."""
        return min((n for n, (verdict, _) in self.refused.items() if verdict is Verdict.REFUSED), default=inf)

    @property
    def suspect(self) -> bool:
        """Whether the next event to send was refused for good."""
        return self.first == self.next_suspect

    def refuse(self, run_seq: int, verdict: Verdict, reason: str) -> None:
        """One of its events was refused: go back to it at least."""
        self.refused[run_seq] = (verdict, reason)
        if self.resume_from is not None:
            self.resume_from = min(self.resume_from, run_seq)

    def went_on(self) -> None:
        """Everything up to the next suspect is sent again."""
        if self.next_suspect == inf:
            self.stage = Stage.RESENT
            self.refused.clear()
            self.resume_from = None
        else:
            self.resume_from = int(self.next_suspect)

    @property
    def blocks(self) -> bool:
        """Whether new events of the run are kept back."""
        return self.stage is not Stage.RESENT


@dataclass(slots=True)
class Comeback:
    """A parked run that is published again, page by page from the log."""

    key: bytes
    batch: int = -1  # of the last page
    run_seq: int = 0  # the last of that page
    waiting: bool = True  # for the next page
    complete: bool = False
