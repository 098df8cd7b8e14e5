"""`postil audit verify`: reads the files alone, and reports every place where they are not what was written.

Found: any byte of a record or manifest entry that changed; records, entries and segments that were deleted, inserted,
duplicated, moved or cut off; run_seq numbers of a run that are not 1, 2, 3 …

Inconclusive: bytes that no manifest entry covers, although a running writer had time to cover them. A crashed writer leaves
such bytes, and a forger can append them. Only a copy of an older record cannot come from a writer.

Not found, because the chain is not signed: a log that was rewritten as a whole, hashes and all, or whose end was
cut off in records, manifest and run index alike. `postil verify` finds both, because it compares with Postgres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.failures import unreadable
from postil_consumers.audit.log.layout import INDEX, MANIFEST, segment_files, segment_name, whole_lines
from postil_consumers.audit.log.merkle import Tree
from postil_consumers.audit.log.run_index import indexed_size
from postil_consumers.audit.verify.findings import Findings
from postil_consumers.audit.verify.manifest_check import Chain, read_chain
from postil_consumers.audit.verify.segment_check import Observer, SegmentCheck
from postil_consumers.audit.verify.sequence_check import SequenceCheck
from postil_consumers.audit.verify.tail import Tail, await_covered
from postil_consumers.errors import AuditLogUnreadable


@dataclass
class LogReport:
    """What one log holds, and what is wrong with it."""

    name: str
    topic: str = ""
    partition: int = -1
    topic_id: str = ""
    records: int = 0
    dead_letters: int = 0
    entries: int = 0
    segments: int = 0
    next_offset: int | None = None
    uncovered: int = 0
    """Bytes that no manifest entry covers. Each is in `findings` or in `inconclusive`."""
    findings: Findings = field(default_factory=Findings)
    inconclusive: Findings = field(default_factory=Findings)


def logs_in(audit_dir: Path) -> list[Path]:
    """Return the logs of an audit directory, or `audit_dir` itself if it is a log.

    Raises `AuditLogUnreadable` if there is no log.
    """
    try:
        if _is_log(audit_dir):
            return [audit_dir]
        logs = [path for path in audit_dir.iterdir() if path.is_dir() and _is_log(path)]
    except FileNotFoundError:
        logs = []
    except OSError as error:
        raise unreadable(audit_dir, error) from error
    if not logs:
        raise AuditLogUnreadable(
            f"{audit_dir} holds no audit log.",
            advice="Name its directory, or set POSTIL_AUDIT_DIR; `postil consume audit` writes it.",
        )
    return sorted(logs, key=lambda path: (path.name.rpartition("-")[0], len(path.name), path.name))


def _is_log(path: Path) -> bool:
    return (path / MANIFEST).exists() or bool(segment_files(path))


def size_of(directory: Path) -> int:
    """Return how many bytes of records a log has, for a progress bar."""
    return sum(path.stat().st_size for path in segment_files(directory))


def verify_log(
    directory: Path,
    *,
    wait: float = 0.0,
    observe: Observer = lambda _first, _names, _leaves: None,
    advance: Callable[[int], object] = lambda _: None,
) -> LogReport:
    """Check one log.

    `wait`: seconds to wait until a running writer has covered what it writes.
    `observe`: see `Observer`.
    `advance` is called with the number of bytes read. Raises `AuditLogUnreadable` if a file cannot be read.
    """
    try:
        return _LogCheck(directory, wait, observe, advance).run()
    except OSError as error:
        raise unreadable(directory, error) from error


class _LogCheck:
    def __init__(
        self, directory: Path, wait: float, observe: Observer, advance: Callable[[int], object]
    ) -> None:
        self._directory = directory
        self._wait = wait
        self._report = LogReport(directory.name)
        self._findings = self._report.findings
        self._sequence = SequenceCheck(directory.name, self._findings)
        self._observe = observe
        self._advance = advance
        self._tree: Tree | None = Tree()
        self._tails: list[Tail] = []

    def run(self) -> LogReport:
        # A writer updates the index and begins a segment after it has written the manifest.
        # They are read first, so the manifest, which is read later, must cover what they show.
        indexed = indexed_size(self._directory / INDEX)
        files = sorted(self._directory.glob("*.ndjson"))
        if not (self._directory / MANIFEST).exists():
            self._findings.add("manifest", "the manifest is missing", log=self._directory.name, file=MANIFEST)
            return self._report
        chain = read_chain(self._directory, self._findings)
        self._describe(chain)
        if not chain.links and not chain.torn and not self._findings:
            self._report.inconclusive.add(
                "manifest",
                "the manifest is empty: the log is just being begun, or was emptied",
                log=self._directory.name,
                file=MANIFEST,
            )
        self._sequence.trusted = not self._findings
        segments = self._check_segments(chain)
        self._check_unknown_segments([path for path in files if path.name not in {MANIFEST, *segments}])
        for tail in await_covered(self._directory, self._tails, self._wait):
            self._judge(tail)
        if indexed is not None and indexed > self._report.records and not self._findings:
            self._findings.add(
                "truncated",
                f"the end was cut off: the run index remembers {indexed:,} records, the manifest {self._report.records:,}",
                log=self._directory.name,
                record=self._report.records,
            )
        return self._report

    def _check_segments(self, chain: Chain) -> set[str]:
        """Check each segment that the manifest lists. Returns their names."""
        seals: dict[str, manifest.Seal] = {}
        commits: dict[str, list[manifest.Commit]] = {}
        for entry in chain.in_order():
            if isinstance(entry, manifest.Commit):
                commits.setdefault(entry.segment, []).append(entry)
            elif isinstance(entry, manifest.Seal):
                seals[entry.segment] = entry
                commits.setdefault(entry.segment, [])
        for segment in sorted(commits):
            self._check_segment(segment, commits[segment], seals.get(segment))
        return set(commits)

    def _describe(self, chain: Chain) -> None:
        report = self._report
        if chain.opening is not None:
            report.topic, report.partition = chain.opening.topic, chain.opening.partition
            if chain.opening.format != manifest.FORMAT:
                raise AuditLogUnreadable(
                    f"{self._directory} has format {chain.opening.format!r}.",
                    advice="Verify it with the version that wrote it, or a newer one.",
                )
        report.entries = len(chain.links)
        if chain.torn:
            size = chain.end + chain.torn
            self._tails.append(Tail(self._directory / MANIFEST, chain.end, size))
        for entry in chain.in_order():
            if isinstance(entry, manifest.Commit):
                report.records = entry.size
                report.dead_letters += entry.dead_letters
                report.next_offset, report.topic_id = entry.next_offset, entry.topic_id

    def _check_segment(
        self, name: str, commits: Sequence[manifest.Commit], seal: manifest.Seal | None
    ) -> None:
        self._report.segments += 1
        check = SegmentCheck(self._directory, name, commits, seal, self._findings)
        if self._tree is not None and self._tree.size != check.first:
            self._tree = None  # entries are missing in between; the next seal has the frontier again
        self._tree = check.run(self._tree, self._observe, self._sequence, self._advance)
        if check.tail is not None:
            self._tails.append(check.tail)

    def _check_unknown_segments(self, unknown: Sequence[Path]) -> None:
        """Report the segments that the manifest lacks, except the one that a writer may have begun meanwhile."""
        next_segment = segment_name(self._report.records)
        for path in unknown:
            if path.name == next_segment:
                self._tails.append(Tail(path, 0, path.stat().st_size, self._report.records))
            else:
                self._findings.add(
                    "segment", "the manifest knows no such segment", log=self._directory.name, file=path.name
                )

    def _judge(self, tail: Tail) -> None:
        """Judge bytes that no writer covered: a copy of a record of the log was certainly appended by a forger."""
        self._report.uncovered += tail.end - tail.begin
        for number, (at, line) in enumerate(whole_lines(tail.path, tail.begin), tail.record or 0):
            run = self._sequence.holds(line) if tail.record is not None else None
            if run is not None:
                self._findings.add(
                    "record",
                    "a copy of a record was appended",
                    log=self._directory.name,
                    segment=tail.path.name,
                    record=number,
                    byte=at,
                    run=run,
                )
                return
        self._report.inconclusive.add(
            "uncovered",
            f"{tail.end - tail.begin:,} bytes from here on are covered by no manifest entry: "
            "left by a writer that died (the next one cuts them off), or appended",
            log=self._directory.name,
            **{"file" if tail.record is None else "segment": tail.path.name},
            record=tail.record,
            byte=tail.begin,
        )
