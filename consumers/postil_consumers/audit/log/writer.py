"""Writes the log of one partition: append-only segments, and a manifest that covers them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from postil.runtime.failpoints import reach
from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.failures import damaged, storage_failed
from postil_consumers.audit.log.layout import MANIFEST, leaves_name
from postil_consumers.audit.log.lock import DirectoryLock
from postil_consumers.audit.log.merkle import Tree, leaf_hashes
from postil_consumers.audit.log.recovery import recover
from postil_consumers.audit.log.state import State

SEGMENT_RECORDS = 65_536
"""Records in a full segment: a power of 256, so that its leaf hashes are whole tiles of a tlog-tiles tree."""


class Line(NamedTuple):
    """A record to append: its bytes without a line feed, the Kafka offset of its message, whether it is a dead letter."""

    record: bytes
    offset: int
    dead: bool


class PartitionLog:
    """One log, open for writing by this process alone. After an error close it and open it anew."""

    def __init__(
        self,
        directory: Path,
        topic: str,
        partition: int,
        *,
        segment_records: int = SEGMENT_RECORDS,
        indexed: tuple[int, str] = (0, ""),
    ) -> None:
        """Take the directory, repair a torn tail, and continue where the manifest ends.

        A log keeps the segment size that it was begun with. `recover` describes `indexed`.
        Raises `AuditLogLocked`, `AuditLogDamaged`, or `StorageFailed` where the directory cannot be used.
        """
        self.directory = directory
        with contextlib.ExitStack() as cleanup:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self._lock = DirectoryLock(directory)
                cleanup.callback(self._lock.close)
                self._state = recover(directory, indexed) or _begin(
                    directory, topic, partition, segment_records, indexed
                )
                _check_owner(self._state, directory, topic, partition)
                self._manifest = _open(directory / MANIFEST)
                cleanup.callback(os.close, self._manifest)
                self.cut_off = _size_after(directory / MANIFEST, self._state.manifest_end) + _size_after(
                    directory / self._state.segment, self._state.position
                )
                """Bytes that no entry covered, which were cut off when this was opened."""
                self._open_segment(self._state.leaves)
                cleanup.callback(self._close_segment)
                self._seal_if_left_open()
            except OSError as error:
                raise storage_failed(directory, error) from error
            cleanup.pop_all()

    def _open_segment(self, leaves: bytes = b"") -> None:
        state = self._state
        self._segment = _open(self.directory / state.segment)
        self._leaves = -1
        try:
            self._leaves = _open(self.directory / leaves_name(state.segment))
            # Until the segment is sealed these are a cache of what the records give: put there anew.
            _write(self._leaves, leaves, 0)
            self._leaves_end = len(leaves)
            self._roll_back()  # what a crash left after the covered bytes
            _sync_directory(self.directory)
        except OSError:
            self._close_segment()
            raise

    def _seal_if_left_open(self) -> None:
        """Write the seal of a full segment if a crash came between its last commit and the seal."""
        state = self._state
        if state.size - state.first == state.settings.segment_records:
            text, number, digest = _seal(state, state.tree, state.position, state.entry, state.hash)
            _make_durable(self._leaves)
            _write(self._manifest, text, state.manifest_end)
            _make_durable(self._manifest)
            state.entry, state.hash, state.manifest_end = number, digest, state.manifest_end + len(text)
            self._next_segment()

    def _next_segment(self) -> None:
        self._close_segment()
        self._state.first, self._state.position = self._state.size, 0
        self._open_segment()

    @property
    def state(self) -> State:
        """The state of the log."""
        return self._state

    def append(self, lines: Sequence[Line], next_offset: int, topic_id: str = "") -> None:
        """Make the lines durable. `next_offset` is the offset to read next, in the topic with the id `topic_id`.

        A batch that fills a segment is several entries, each durable before the next is begun.
        Raises `StorageFailed`. Then the log holds the entries before the one that failed, and nothing of that one.
        """
        begin = 0
        while begin < len(lines):
            state = self._state
            end = min(len(lines), begin + state.settings.segment_records - (state.size - state.first))
            # After a part that ends inside the batch, the first line that is not in it is read next.
            resume = next_offset if end == len(lines) else lines[end].offset
            try:
                self._append_entry(lines[begin:end], resume, topic_id)
            except OSError as error:
                self._roll_back()
                raise storage_failed(self.directory, error) from error
            begin = end

    def _append_entry(self, lines: Sequence[Line], next_offset: int, topic_id: str) -> None:
        state = self._state
        records = [line.record for line in lines]
        blob = b"\n".join(records) + b"\n"
        leaves = leaf_hashes(records)
        tree = Tree(state.size, state.tree.frontier)
        tree.extend(leaves)
        leaves_blob = b"".join(leaves)
        commit = manifest.Commit(
            segment=state.segment,
            first=state.size,
            size=tree.size,
            begin=state.position,
            end=state.position + len(blob),
            dead_letters=sum(line.dead for line in lines),
            first_offset=lines[0].offset,
            next_offset=next_offset,
            topic_id=topic_id,
            leaves=manifest.leaves_digest(leaves_blob),
            root=tree.root().hex(),
        )
        number = state.entry + 1
        text, digest = manifest.encode(commit, number, state.hash)
        full = tree.size - state.first == state.settings.segment_records
        if full:
            seal, number, digest = _seal(state, tree, commit.end, number, digest)
            text += seal

        self._write_durably(blob, leaves_blob, text, full=full)

        state.entry, state.hash, state.manifest_end = number, digest, state.manifest_end + len(text)
        state.tree, state.position = tree, commit.end
        state.next_offset, state.topic_id, state.root = next_offset, topic_id, commit.root
        self._leaves_end += len(leaves_blob)
        if full:
            self._next_segment()
            reach("audit.segment_begun")

    def _write_durably(self, records: bytes, leaves: bytes, entries: bytes, *, full: bool) -> None:
        """Write the records, then their manifest entries, each durable before the next.

        Each write has two halves, with a point between them at which a test can crash the process.
        The leaf hashes need to be durable only in a `full` segment.
        """
        state, half = self._state, len(records) // 2
        reach("audit.nothing_written")
        _write(self._segment, records[:half], state.position)
        reach("audit.records_torn")
        _write(self._segment, records[half:], state.position + half)
        _write(self._leaves, leaves, self._leaves_end)
        reach("audit.records_written")
        _make_durable(self._segment)
        if full:
            _make_durable(self._leaves)
        reach("audit.records_durable")
        half = len(entries) // 2
        _write(self._manifest, entries[:half], state.manifest_end)
        reach("audit.manifest_torn")
        _write(self._manifest, entries[half:], state.manifest_end + half)
        reach("audit.manifest_written")
        _make_durable(self._manifest)
        reach("audit.manifest_durable")

    def _roll_back(self) -> None:
        """Cut off what an error left. If that fails too, the next opening does it."""
        state = self._state
        for fd, end in (
            (self._manifest, state.manifest_end),
            (self._segment, state.position),
            (self._leaves, self._leaves_end),
        ):
            with contextlib.suppress(OSError):
                os.ftruncate(fd, end)

    def _close_segment(self) -> None:
        for fd in (self._segment, self._leaves):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._segment = self._leaves = -1  # no number that another file may get

    def close(self) -> None:
        """Close the files, and let another writer open the log. Everything appended is durable already."""
        self._close_segment()
        os.close(self._manifest)
        self._lock.close()


def _seal(state: State, tree: Tree, end: int, number: int, prev: str) -> tuple[bytes, int, str]:
    """Return the entry that seals the open segment, after the entry `number`: its line, number and hash."""
    nodes = tuple(node.hex() for node in tree.frontier)
    text, digest = manifest.encode(
        manifest.Seal(state.segment, state.first, tree.size, end, nodes), number + 1, prev
    )
    return text, number + 1, digest


def _begin(
    directory: Path, topic: str, partition: int, segment_records: int, indexed: tuple[int, str]
) -> State:
    """Write the manifest of a new log, with its first entry."""
    entry = manifest.Open(topic, partition, segment_records)
    text, digest = manifest.encode(entry, 0, manifest.NO_HASH)
    fd = _open(directory / MANIFEST)
    try:
        _write(fd, text, 0)
        os.ftruncate(fd, len(text))
        _make_durable(fd)
        _sync_directory(directory)
        _sync_directory(directory.parent)
    finally:
        os.close(fd)
    return State(entry, 0, digest, len(text), index_matches=indexed[0] == 0)


def _check_owner(state: State, directory: Path, topic: str, partition: int) -> None:
    owner = state.settings
    if (owner.topic, owner.partition) != (topic, partition):
        raise damaged(
            directory / MANIFEST,
            f"it is the log of {owner.topic}/{owner.partition}, not of {topic}/{partition}.",
        )


def _size_after(path: Path, position: int) -> int:
    return max(0, path.stat().st_size - position) if path.exists() else 0


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _write(fd: int, data: bytes, at: int) -> None:
    """Write all of `data` at the byte `at`, which does not depend on how far an earlier write came."""
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, at)
        view, at = view[count:], at + count


def _make_durable(fd: int) -> None:
    if sys.platform == "darwin":  # fsync there stops at the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
