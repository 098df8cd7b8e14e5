"""Checks, along a log, that each run's numbers go 1, 2, 3 … with none left out and none twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from postil.model.envelope import read_head, read_head_in_any_order
from postil_consumers.audit.log.records import is_dead_letter
from postil_consumers.audit.verify.findings import Findings

Name: TypeAlias = tuple[str, int, str]
"""Run, run_seq and event id of a record."""


class SequenceCheck:
    """Remembers the last number of every run of one log."""

    def __init__(self, log: str, findings: Findings) -> None:
        self._log = log
        self._findings = findings
        self._last: dict[str, int] = {}
        self.trusted = True
        """False after damage: then a gap in a run is a consequence, and is not listed a second time."""

    def see(self, segment: str, first: int, records: Sequence[bytes]) -> list[Name | None]:
        """Take the next records of the log, the first of which has that number; answer who each is."""
        last = self._last
        names: list[Name | None] = []
        for number, record in enumerate(records, first):
            found = read_head(record)
            if found is None and not is_dead_letter(record):
                found = read_head_in_any_order(record)
                if found is None:
                    self._note("the record is neither an event nor a dead letter", segment, number)
            names.append(found)
            if found is None:
                continue
            run, run_seq, _ = found
            before = last.get(run, 0)
            if run_seq != before + 1 and self.trusted:
                self._note(f"run_seq {run_seq} follows {before}", segment, number, run)
            last[run] = run_seq
        return names

    def holds(self, record: bytes) -> str | None:
        """The run of an event that the log has already seen, or None: no writer writes one a second time."""
        found = read_head(record) or read_head_in_any_order(record)
        return found[0] if found and found[1] <= self._last.get(found[0], 0) else None

    def _note(self, what: str, segment: str, record: int, run: str | None = None) -> None:
        self._findings.add("run_seq", what, log=self._log, segment=segment, record=record, run=run)
