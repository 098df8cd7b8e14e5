"""Reports of imports: counts per file, and the problems with their positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postil.errors import PostilError

PROBLEMS_KEPT = 20
"""How many problems of a file keep their text. All are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why something was not imported: what happened and where, what to do, and the exit code."""

    what: str
    advice: str
    exit_code: int

    @classmethod
    def of(cls, error: PostilError) -> Problem:
        """Return the problem that an error describes."""
        return cls(error.what, error.advice, error.exit_code)


@dataclass(slots=True)
class FileReport:
    """The result of importing one file.

    `runs` is `new` + `unchanged`. Cases counted in `bad` and `conflicts` were not imported;
    a conflict is a run with the same id and other content. `complete` is False if the rest of the file was not read or written.
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
    remarks: dict[str, int] = field(default_factory=dict[str, int])
    problems: list[Problem] = field(default_factory=list[Problem])

    @property
    def runs(self) -> int:
        """How many runs of the file are in the database now."""
        return self.new + self.unchanged

    def add_problem(self, error: PostilError) -> None:
        """Count a problem. The first `PROBLEMS_KEPT` keep their text."""
        # Exit code 2 (could not be read) outranks 1 (something was bad), because the content is unknown.
        self.exit_code = max(self.exit_code, error.exit_code)
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem.of(error))

    def add_remarks(self, remarks: dict[str, int]) -> None:
        """Count the remarks of one history."""
        for remark, times in remarks.items():
            self.remarks[remark] = self.remarks.get(remark, 0) + times

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON, for `--json`."""
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
            "notes": self.remarks,
            "problems": [{"what": problem.what, "advice": problem.advice} for problem in self.problems],
        }
