"""What a verifier found wrong, each with its place; counted without end, kept up to a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LIMIT = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its kind in a word, what it is in a sentence, and where."""

    kind: str
    what: str
    place: Mapping[str, str | int]

    def __str__(self) -> str:
        where = "  ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
            for name, value in self.place.items()
        )
        return f"{where}  {self.what}"


@dataclass
class Findings:
    """All that was found: each kind counted, the first `LIMIT` of each kept."""

    counts: Counter[str] = field(default_factory=Counter[str])
    _kept: list[Finding] = field(default_factory=list[Finding])

    def add(self, kind: str, what: str, /, **place: str | int | None) -> None:
        """Note one; places that are not known are left out."""
        self.counts[kind] += 1
        if self.counts[kind] <= LIMIT:
            self._kept.append(Finding(kind, what, {name: at for name, at in place.items() if at is not None}))

    def extend(self, other: Findings) -> None:
        """Take over another's."""
        for finding in other:
            if self.counts[finding.kind] < LIMIT:
                self._kept.append(finding)
            self.counts[finding.kind] += 1
        for kind, count in other.counts.items():
            self.counts[kind] += max(0, count - LIMIT)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._kept)

    def __len__(self) -> int:
        """How many there are, kept or not."""
        return self.counts.total()

    def listed(self) -> list[dict[str, str | int]]:
        """Those kept, for programs."""
        return [{"kind": found.kind, "what": found.what, **found.place} for found in self]

    @property
    def unlisted(self) -> int:
        """How many are counted only."""
        return len(self) - len(self._kept)
