"""Reads a manifest that may have been tampered with: collects the valid entries, and reports every changed place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.layout import MANIFEST
from postil_consumers.audit.log.manifest import Link
from postil_consumers.audit.verify.findings import Findings


@dataclass
class Chain:
    """The entries that match their own hash, by number."""

    links: dict[int, Link] = field(default_factory=dict[int, Link])
    torn: int = 0
    """Bytes after the last whole entry: a write that a crash cut short, or one in progress."""
    end: int = 0
    """The byte after the last whole line."""

    @property
    def opening(self) -> manifest.Open | None:
        """The first entry, if it is valid."""
        first = self.links.get(0)
        return first.entry if first and isinstance(first.entry, manifest.Open) else None

    def in_order(self) -> list[manifest.Entry]:
        """Return the entries in the order of their numbers."""
        return [self.links[number].entry for number in sorted(self.links)]


def read_chain(directory: Path, findings: Findings) -> Chain:
    """Read and check every entry. Raises `OSError` if the file cannot be read."""
    return _Reader(directory, findings).read()


class _Reader:
    def __init__(self, directory: Path, findings: Findings) -> None:
        self._path = directory / MANIFEST
        self._findings = findings
        self._chain = Chain()
        self._highest = -1
        # Invalid lines since the last valid one. Each takes the place of one entry, so that entry is not missing.
        self._altered = 0
        self._missing: dict[int, int] = {}
        self._places: dict[int, int] = {}

    def read(self) -> Chain:
        at = 0
        with self._path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n") and not self._end_changed(raw, at):
                    self._chain.torn = len(raw)
                    break
                self._take(raw.removesuffix(b"\n"), at)
                at += len(raw)
                self._chain.end = at
        for number, place in self._missing.items():
            self._note("an entry is missing", number, place)
        self._check_links()
        return self._chain

    def _end_changed(self, raw: bytes, at: int) -> bool:
        """Return whether a last line without its line feed is a whole entry. That is reported as a change."""
        for line in (raw, raw[:-1]):
            try:
                manifest.decode(line)
            except manifest.InvalidEntry:
                continue
            self._note("the end of the entry's line was changed", self._highest + 1, at + len(line))
            return True
        return False

    def _take(self, line: bytes, at: int) -> None:
        expected = self._highest + 1 + self._altered
        try:
            link = manifest.decode(line)
        except manifest.InvalidEntry as error:
            self._note(f"the entry was altered: {error}", expected, at)
            self._altered += 1
            return
        number = link.number
        if number in self._chain.links:
            self._note("the entry is there a second time", number, at)
            return
        self._chain.links[number] = link
        self._places[number] = at
        if number < self._highest:
            self._note("the entry was moved here from its place", number, at)
            self._missing.pop(number, None)
            return
        self._missing |= dict.fromkeys(range(expected, number), at)
        self._highest, self._altered = number, 0

    def _check_links(self) -> None:
        links = self._chain.links
        first = links.get(0)
        if first is not None and (
            not isinstance(first.entry, manifest.Open) or first.prev != manifest.NO_HASH
        ):
            self._note("the entry is not one that a log begins with", 0, self._places[0])
        for number, link in links.items():
            before = links.get(number - 1)
            if before is not None and before.hash != link.prev:
                self._note(
                    "the entry was rewritten: the next one follows another",
                    number - 1,
                    self._places[number - 1],
                )

    def _note(self, what: str, entry: int, byte: int) -> None:
        self._findings.add(
            "manifest", what, log=self._path.parent.name, file=MANIFEST, entry=entry, byte=byte
        )
