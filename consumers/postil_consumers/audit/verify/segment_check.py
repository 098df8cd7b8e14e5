"""Checks one segment against the manifest's entries for it, and finds the exact records where they disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeAlias

from postil.model.envelope import read_head
from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.layout import leaves_name
from postil_consumers.audit.log.merkle import HASH_SIZE, Tree, leaf_hash, leaf_hashes
from postil_consumers.audit.verify.diff import Edit, edits
from postil_consumers.audit.verify.findings import Findings
from postil_consumers.audit.verify.sequence_check import Name, SequenceCheck
from postil_consumers.audit.verify.tail import Tail

Observer: TypeAlias = Callable[[int, Sequence[Name | None], Sequence[bytes]], object]
"""Called for each sound batch: the number of its first record, the records' names (None: a dead letter), their leaf hashes."""

_WHAT = {
    "altered": "the record was altered",
    "missing": "the record is missing",
    "moved": "the record was moved here from its place",
    "inserted": "a line was inserted before this record",
}
_UNPROVED = "the record cannot be proved: its hash was altered as well"


class SegmentCheck:
    """One segment: its file of records, its file of leaf hashes, and the manifest's entries about both."""

    def __init__(
        self,
        directory: Path,
        name: str,
        commits: Sequence[manifest.Commit],
        seal: manifest.Seal | None,
        findings: Findings,
    ) -> None:
        self.first = int(name.removesuffix(".ndjson"))
        self.tail: Tail | None = None
        self._name = name
        self._path = directory / name
        self._leaves_path = directory / leaves_name(name)
        self._log = directory.name
        self._commits = commits
        self._seal = seal
        self._findings = findings
        last = seal or commits[-1]
        self._size = last.size
        self._end = last.bytes if isinstance(last, manifest.Seal) else last.end
        self._tree: Tree | None = None
        self._leaves = b""
        # The expected hash of each record; None if no trustworthy source has it.
        self._expected: list[bytes | None] = []
        self._sound = True

    def run(
        self, tree: Tree | None, observe: Observer, sequence: SequenceCheck, advance: Callable[[int], object]
    ) -> Tree | None:
        """Check the whole segment. `tree` is the tree of the log before it.

        Returns the tree of the log after it, or None if that cannot be computed.
        """
        self._tree = tree
        if self._path.exists():
            self._leaves = self._leaves_path.read_bytes() if self._leaves_path.exists() else b""
            with self._path.open("rb") as file:
                for commit in self._commits:
                    self._check_batch(file, commit, observe, sequence)
                    advance(commit.end - commit.begin)
                self._fill(self._size)
                self._check_ends()
                if not self._sound:
                    sequence.trusted = False
                    self._locate_damage(file)
        else:
            self._note("segment", "the segment is missing", self.first, 0, until=self._size)
            sequence.trusted = False
            self._tree = None
        if self._seal is None:
            return self._tree
        return Tree(self._seal.size, [bytes.fromhex(node) for node in self._seal.frontier])

    def _check_batch(
        self, file: IO[bytes], commit: manifest.Commit, observe: Observer, sequence: SequenceCheck
    ) -> None:
        self._fill(commit.first)
        file.seek(commit.begin)
        text = file.read(commit.end - commit.begin)
        records = text[:-1].split(b"\n")
        leaves = leaf_hashes(records)
        stored = self._leaves[
            (commit.first - self.first) * HASH_SIZE : (commit.size - self.first) * HASH_SIZE
        ]
        if text.endswith(b"\n") and manifest.leaves_digest(b"".join(leaves)) == commit.leaves:
            if stored != b"".join(leaves) and (self._seal or len(stored) == len(leaves) * HASH_SIZE):
                self._note(
                    "leaves", "the leaf hashes were altered", commit.first, commit.begin, until=commit.size
                )
            observe(commit.first, sequence.check(self._name, commit.first, records), leaves)
            self._grow(leaves, commit)
        else:
            self._sound = False
            sequence.trusted = False
            self._grow(_split(stored) if manifest.leaves_digest(stored) == commit.leaves else None, commit)

    def _fill(self, upto: int) -> None:
        """Expect the records of an altered or missing entry. Only the leaf hashes show them, and the next root proves them."""
        begin, end = len(self._expected), upto - self.first
        if begin >= end:
            return
        self._sound = False
        leaves = _split(self._leaves[begin * HASH_SIZE : end * HASH_SIZE])
        if len(leaves) == end - begin:
            self._grow(leaves)
        else:
            self._expected += [None] * (end - begin)
            self._tree = None

    def _grow(self, leaves: list[bytes] | None, commit: manifest.Commit | None = None) -> None:
        """Continue the tree with these leaves. If no leaf before them is unknown, the root must be the manifest's."""
        if leaves is None:
            self._tree = None
            self._expected += [None] * (commit.size - commit.first if commit else 0)
            return
        self._expected += leaves
        if self._tree is None:
            return
        self._tree.extend(leaves)
        if commit is not None and self._tree.root().hex() != commit.root:
            self._note(
                "root", "the Merkle root is not the manifest's", commit.first, commit.begin, until=commit.size
            )
            self._tree = None

    def _check_ends(self) -> None:
        size = self._path.stat().st_size
        if size < self._end or (self._seal and size > self._end):
            self._sound = False
        elif self._sound and size > self._end:
            self.tail = Tail(self._path, self._end, size, self._size)
        if self._seal and len(self._leaves) != (self._size - self.first) * HASH_SIZE:
            self._findings.add(
                "leaves",
                "the file of leaf hashes has another length",
                log=self._log,
                file=self._leaves_path.name,
            )

    def _locate_damage(self, file: IO[bytes]) -> None:
        """Compare line by line. This reads the file a second time, so it is done for a changed segment only."""
        before = len(self._findings)
        leaves: list[bytes] = []
        places: list[int] = []
        at = 0
        file.seek(0)
        for line in file:
            # A line without its line feed is not a record.
            leaves.append(leaf_hash(line[:-1]) if line.endswith(b"\n") else b"")
            places.append(at)
            at += len(line)
        places.append(at)
        # A record whose hash is not known matches no line.
        expected = [
            leaf if leaf is not None else b"%d" % number for number, leaf in enumerate(self._expected)
        ]
        changes = list(edits(expected, leaves))
        while (
            changes and not self._seal and changes[-1].kind == "inserted" and changes[-1].end == len(leaves)
        ):
            # After the last record of a segment that is being written: not covered yet, or never.
            self.tail = Tail(self._path, places[changes.pop().line], places[-1], self._size)
        for edit in changes:
            self._note_edit(file, edit, places)
        if len(self._findings) == before and not self._findings:
            self._note(
                "record", "the lines are not where the manifest has them", self.first, 0, until=self._size
            )

    def _note_edit(self, file: IO[bytes], edit: Edit, places: Sequence[int]) -> None:
        byte = places[edit.line]
        file.seek(byte)
        text = file.readline() if edit.kind != "missing" else b""
        if edit.kind == "inserted":
            self._note("record", _WHAT["inserted"], self.first + edit.record, byte, text=text)
            return
        proved = all(leaf is not None for leaf in self._expected[edit.begin : edit.end])
        self._note(
            "record",
            _WHAT[edit.kind] if proved else _UNPROVED,
            self.first + edit.begin,
            byte,
            until=self.first + edit.end,
            text=text,
        )

    def _note(
        self, kind: str, what: str, record: int, byte: int, *, until: int | None = None, text: bytes = b""
    ) -> None:
        name = read_head(text)
        self._findings.add(
            kind,
            what,
            log=self._log,
            segment=self._name,
            record=record if until is None or until - record == 1 else f"{record:,} to {until - 1:,}",
            byte=byte,
            run=name and name[0],
            run_seq=name and name[1],
        )


def _split(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + HASH_SIZE] for at in range(0, len(leaves) - HASH_SIZE + 1, HASH_SIZE)]
