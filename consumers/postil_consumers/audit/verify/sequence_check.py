"""Checks that the run_seq numbers of each run are 1, 2, 3 … in a log, with no gap and no repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from postil.model.envelope import read_head, read_head_in_any_order
from postil_consumers.audit.log.records import is_dead_letter
from postil_consumers.audit.verify.findings import Findings

Name: TypeAlias = tuple[str, int, str]
"""Run, run_seq and event id of a record."""


class SequenceCheck:
    """Stores the last run_seq of every run of one log."""

    def __init__(self, log: str, findings: Findings) -> None:
        self._log = log
        self._findings = findings
        self._last: dict[str, int] = {}
        self.trusted = True
        """False after damage: then a gap in a run is a consequence, and is not listed a second time."""

    def check(self, segment: str, first: int, records: Sequence[bytes]) -> list[Name | None]:
        """Check the next records of the log, of which the first has the number `first`. Returns the name of each."""
        last = self._last
        names: list[Name | None] = []
        for number, record in enumerate(records, first):
            name = read_head(record)
            if name is None and not is_dead_letter(record):
                name = read_head_in_any_order(record)
                if name is None:
                    self._note("the record is neither an event nor a dead letter", segment, number)
            names.append(name)
            if name is None:
                continue
            run, run_seq, _ = name
            before = last.get(run, 0)
            if run_seq != before + 1 and self.trusted:
                self._note(f"run_seq {run_seq} follows {before}", segment, number, run)
            last[run] = run_seq
        return names

    def holds(self, record: bytes) -> str | None:
        """Return the run if the record is an event that the log already holds, else None. No writer writes an event twice."""
        name = read_head(record) or read_head_in_any_order(record)
        return name[0] if name and name[1] <= self._last.get(name[0], 0) else None

    def _note(self, what: str, segment: str, record: int, run: str | None = None) -> None:
        self._findings.add("run_seq", what, log=self._log, segment=segment, record=record, run=run)
