"""The audit log as a sink: one `PartitionLog` and its run index per partition.

What it costs, per event of 700 bytes: 20 to 25 microseconds of one core from message to durable record,
25 to 30 before the head was read by one anchored regex in place of parsing the JSON, and before the collector's
thresholds were raised (`postil.runtime.signals`). The two fsyncs of a batch vanish in batches of thousands.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import structlog

from postil.model.envelope import InvalidEnvelope, RawEvent, raw_event
from postil.runtime.failpoints import reach
from postil_consumers.audit.log.failures import damaged, storage_failed
from postil_consumers.audit.log.layout import INDEX, MANIFEST, log_directory, segment_name, whole_lines
from postil_consumers.audit.log.lock import DirectoryLock
from postil_consumers.audit.log.records import dead_letter_line, is_dead_letter
from postil_consumers.audit.log.run_index import RunIndex
from postil_consumers.audit.log.writer import SEGMENT_RECORDS, Line, PartitionLog
from postil_consumers.runtime.sequencer import Progress
from postil_consumers.runtime.sink import Item, Partition, Record, Resume

_REBUILD_STEP = 10_000

logger = structlog.get_logger("postil.audit")


def consumer_group(topic: str) -> str:
    """Return the consumer group whose offsets show how far the audit log of a topic is."""
    return f"{topic}.audit"


class AuditSink:
    """Writes every message of a topic to the audit log, exactly once in effect.

    The place to resume is the manifest's, which is written after the records and before Kafka's offset:
    what a crash left out is read again, what it did not is dropped by the run_seq rule.
    """

    name = "audit"

    def __init__(self, audit_dir: Path, *, segment_records: int = SEGMENT_RECORDS) -> None:
        """Take the directory for this process. Raises `AuditLogLocked`, or `StorageFailed` where it cannot be used."""
        self._dir = audit_dir
        self._segment_records = segment_records
        self._open: dict[Partition, tuple[PartitionLog, RunIndex]] = {}
        try:
            audit_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock = DirectoryLock(audit_dir)
        except OSError as error:
            raise storage_failed(audit_dir, error) from error

    def open(self, partition: Partition) -> int | Resume:
        """Repair the log's tail and bring the index up to it; answer the manifest's offset.

        Raises `AuditLogDamaged` where the files contradict the manifest.
        """
        directory = log_directory(self._dir, partition.topic, partition.number)
        with contextlib.ExitStack() as opened:
            try:
                directory.mkdir(parents=True, exist_ok=True, mode=0o750)
                index = RunIndex(directory / INDEX)
            except OSError as error:
                raise storage_failed(directory, error) from error
            opened.callback(index.close)
            written = PartitionLog(
                directory,
                partition.topic,
                partition.number,
                segment_records=self._segment_records,
                indexed=index.covered,
            )
            opened.callback(written.close)
            try:
                bring_up(index, written)
            except OSError as error:
                raise storage_failed(directory, error) from error
            opened.pop_all()
        self._open[partition] = written, index
        state = written.state
        if written.cut_off:
            logger.warning(
                "cut off what no manifest entry covers",
                log=str(directory),
                bytes=written.cut_off,
                record=state.size,
            )
        if state.next_offset is None:
            return Resume.OLDEST
        if partition.topic_id and state.topic_id and partition.topic_id != state.topic_id:
            # Another topic of the same name: offsets say nothing. Duplicates are dropped, gaps come from Postgres.
            logger.warning(
                "the topic was created anew; reading all of it", partition=str(partition), was=state.topic_id
            )
            return Resume.OLDEST
        return state.next_offset

    def progress(self, partition: Partition) -> Progress:
        """The run index."""
        return self._open[partition][1]

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        """Records, manifest entry, then the index; the Kafka offset is the runner's, after this."""
        if not items:
            return  # only duplicates: reading them again costs less than an empty entry
        written, index = self._open[partition]
        lines: list[Line] = []
        events: list[RawEvent] = []
        for item in items:
            if isinstance(item, Record):
                events.append(item.event)
                lines.append(Line(item.event.value, item.offset, False))
            else:
                lines.append(Line(dead_letter_line(item, partition), item.offset, True))
        written.append(lines, next_offset, partition.topic_id)
        index.apply(events, written.state.size, written.state.root)
        reach("audit.index_updated")

    def close(self, partition: Partition) -> None:
        """Let go of the partition's log."""
        opened = self._open.pop(partition, None)
        if opened:
            opened[0].close()
            opened[1].close()

    def shutdown(self) -> None:
        """Let go of everything."""
        for partition in list(self._open):
            self.close(partition)
        self._lock.close()


def bring_up(index: RunIndex, written: PartitionLog) -> None:
    """Make the index say what the files say: from where it stands if that is a place in this log, else from nothing."""
    state = written.state
    if index.covered == (state.size, state.root):
        return
    if not state.index_matches or index.covered[0] > state.size:
        logger.warning("the run index is not this log's; building it anew", log=str(written.directory))
        index.clear()
    if state.size - index.covered[0] > _REBUILD_STEP:
        logger.info("reading the log to build its run index", log=str(written.directory), records=state.size)
    size = index.covered[0]
    events = _records_from(written, size)
    while size < state.size:
        step = list(islice(events, _REBUILD_STEP))
        try:
            found = [raw_event(line) for line in step if not is_dead_letter(line)]
        except InvalidEnvelope as error:
            raise damaged(
                written.directory / MANIFEST,
                f"after record {size} there is one that is not an event: {error.what}.",
            ) from None
        if not step:
            raise damaged(
                written.directory / MANIFEST, f"it has {state.size:,} records, the segments {size:,}."
            )
        size += len(step)
        # Before the last step the size stands for no place in the manifest: a crash here begins again.
        root = state.root if size == state.size else ""
        index.apply(found, size, root)


def _records_from(written: PartitionLog, size: int) -> Iterator[bytes]:
    """The log's records from a number on."""
    per_segment = written.state.settings.segment_records
    first = size - size % per_segment
    while first < written.state.size:
        path = written.directory / segment_name(first)
        for number, (_, line) in enumerate(whole_lines(path), first):
            if number >= size:
                yield line
        first += per_segment
