"""What a verifier found wrong, each with its place. All are counted; only the first of each kind are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LIMIT = 100
"""How many findings of each kind are stored."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: its kind in a word, the difference in a sentence, and its place."""

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
    """Counts findings by kind, and stores the first `LIMIT` of each kind."""

    counts: Counter[str] = field(default_factory=Counter[str])
    _stored: list[Finding] = field(default_factory=list[Finding])

    def add(self, kind: str, what: str, /, **place: str | int | None) -> None:
        """Add a finding. A part of its place that is None is left out."""
        self.counts[kind] += 1
        if self.counts[kind] <= LIMIT:
            self._stored.append(
                Finding(kind, what, {name: at for name, at in place.items() if at is not None})
            )

    def extend(self, other: Findings) -> None:
        """Add all findings of `other`."""
        for finding in other:
            if self.counts[finding.kind] < LIMIT:
                self._stored.append(finding)
            self.counts[finding.kind] += 1
        for kind, count in other.counts.items():
            self.counts[kind] += max(0, count - LIMIT)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._stored)

    def __len__(self) -> int:
        """Return how many there are, stored or not."""
        return self.counts.total()

    def listed(self) -> list[dict[str, str | int]]:
        """Return the stored findings as data."""
        return [{"kind": finding.kind, "what": finding.what, **finding.place} for finding in self]

    @property
    def unlisted(self) -> int:
        """How many are counted and not stored."""
        return len(self) - len(self._stored)
