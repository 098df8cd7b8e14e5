"""What an import did to each file: counted, with the problems and their positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postil.errors import PostilError

PROBLEMS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that kept something out: what and where, what to do, and the exit code it asks for."""

    what: str
    advice: str
    exit_code: int

    @classmethod
    def of(cls, error: PostilError) -> Problem:
        """The problem an error describes."""
        return cls(error.what, error.advice, error.exit_code)


@dataclass(slots=True)
class FileReport:
    """What became of one file.

    `runs` = `new` + `unchanged`; `bad` cases and `conflicts` (a run of that id, with other content, is there already)
    were left out whole. `complete` is False where the rest of the file could not be read or written.
    """

    file: str
    format: str = ""
    records_called: str = "events"
    new: int = 0
    unchanged: int = 0
    conflicts: int = 0
    bad: int = 0
    records: int = 0
    events: int = 0
    seconds: float = 0.0
    complete: bool = False
    exit_code: int = 0
    notes: dict[str, int] = field(default_factory=dict[str, int])
    problems: list[Problem] = field(default_factory=list[Problem])

    @property
    def runs(self) -> int:
        """Runs of the file that are in the database now."""
        return self.new + self.unchanged

    def add_problem(self, error: PostilError) -> None:
        """Count a problem; the first few are kept with their text."""
        # "Could not" (2) tells more than "was bad" (1): nothing can be said about the file's content.
        self.exit_code = max(self.exit_code, error.exit_code)
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem.of(error))

    def add_notes(self, notes: dict[str, int]) -> None:
        """Count the remarks of one history."""
        for remark, times in notes.items():
            self.notes[remark] = self.notes.get(remark, 0) + times

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "file": self.file,
            "format": self.format,
            "complete": self.complete,
            "runs": {
                "new": self.new,
                "unchanged": self.unchanged,
                "conflicts": self.conflicts,
                "bad": self.bad,
            },
            self.records_called: self.records,
            "events_written": self.events,
            "seconds": round(self.seconds, 3),
            "notes": self.notes,
            "problems": [{"what": problem.what, "advice": problem.advice} for problem in self.problems],
        }
