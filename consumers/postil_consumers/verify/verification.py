"""Reads the log in Postgres, the topic and the audit log, in this order, and compares them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from postil.settings import Settings
from postil_consumers.audit.log.layout import log_directory
from postil_consumers.audit.log.manifest_reader import last_commit
from postil_consumers.audit.verify.log_check import logs_in, size_of, verify_log
from postil_consumers.audit.verify.sequence_check import Name
from postil_consumers.verify.comparison import Comparison
from postil_consumers.verify.ledger import DIGEST_SIZE, Ledger
from postil_consumers.verify.report import Report
from postil_consumers.verify.snapshot import Snapshot, look_again, snapshot
from postil_consumers.verify.topic import TopicReader

Step: TypeAlias = Callable[[str, int | None, int], object]
"""Reports progress: what is read, how much there is of it in all (None: unknown), how much more was read."""

_POLL_SECONDS = 0.2


def verify(settings: Settings, *, wait: float, step: Step = lambda _what, _total, _more: None) -> Report:
    """Check everything. Waits up to `wait` seconds for events that are not yet in Kafka or in the audit log.

    Raises `Unavailable`, `ConfigurationError` or `AuditLogUnreadable` if one of the three cannot be read.
    """
    url, client = settings.require_database_url(), settings.kafka_client()
    logs = logs_in(settings.audit_path)  # raises at once if there is nothing to compare
    with contextlib.closing(Ledger()) as ledger:
        reading = _Reading(settings, ledger, step)
        with snapshot(url) as database:
            reading.read_database(database)
        deadline = time.monotonic() + wait
        with TopicReader(client, settings.kafka_topic) as topic:
            reading.read_topic(topic, deadline)
            reading.await_audit(deadline)
            reading.read_audit(logs, wait)
        comparison = reading.comparison
        comparison.compare("message")
        comparison.compare("record")
        comparison.look_again(lambda events: look_again(url, events))
    return reading.report


class _Reading:
    """Fills the ledger from the three sources."""

    def __init__(self, settings: Settings, ledger: Ledger, step: Step) -> None:
        self.report = Report()
        self.comparison = Comparison(self.report, ledger)
        self._topic = settings.kafka_topic
        self._audit_dir = settings.audit_path
        self._ledger = ledger
        self._step = step

    def read_database(self, database: Snapshot) -> None:
        report = self.report
        report.runs, report.events = database.runs, database.events
        database.check_runs(report.findings)
        database.check_annotations(report.findings)
        self.comparison.parked = database.parked()
        for page in database.walk():
            self._ledger.add_events(page)
            self._step("postgres", database.events, len(page))

    def read_topic(self, topic: TopicReader, deadline: float) -> None:
        """Read the topic, and continue while a required event may still come."""
        self.comparison.oldest = topic.oldest
        while True:
            for events, unknown in topic.read():
                self._ledger.add_copies("message", events)
                self._step("kafka", topic.messages, len(events))
                for partition, offset, why in unknown:
                    what = f"the message is not an event of Postil: {why}"
                    self.report.remarks.add(
                        "unknown message", what, copy="kafka", partition=partition, offset=offset
                    )
            if not self._ledger.awaited_count() or time.monotonic() >= deadline:
                return
            time.sleep(_POLL_SECONDS)

    def await_audit(self, deadline: float) -> None:
        """Wait until each audit log has read the last of the required events, or until the deadline."""
        needed = self._ledger.needed_offsets()
        while any(self._audited_to(partition) <= offset for partition, offset in needed.items()):
            if time.monotonic() >= deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _audited_to(self, partition: int) -> int:
        commit = last_commit(log_directory(self._audit_dir, self._topic, partition))
        return commit.next_offset if commit else 0

    def read_audit(self, logs: Sequence[Path], wait: float) -> None:
        report, comparison = self.report, self.comparison
        total = sum(map(size_of, logs))
        for log in logs:
            is_of_topic = log.name.rpartition("-")[0] == self._topic
            number = len(report.logs)
            log_report = verify_log(
                log,
                wait=wait,
                observe=self._observer(number) if is_of_topic else lambda _first, _names, _leaves: None,
                advance=lambda read: self._step("audit log", total, read),
            )
            report.logs.append(log_report)
            report.findings.extend(log_report.findings)
            report.inconclusive.extend(log_report.inconclusive)
            if is_of_topic:
                comparison.audited[log_report.partition] = log_report.next_offset or 0
            if log_report.dead_letters:
                report.remarks.add(
                    "dead letters", f"{log_report.dead_letters:,} dead letters are recorded", log=log.name
                )

    def _observer(self, log: int) -> Callable[[int, Sequence[Name | None], Sequence[bytes]], None]:
        def add_batch(first: int, names: Sequence[Name | None], leaves: Sequence[bytes]) -> None:
            self._ledger.add_copies(
                "record",
                [
                    (name[0], name[1], leaf[:DIGEST_SIZE], log, number)
                    for number, (name, leaf) in enumerate(zip(names, leaves, strict=True), first)
                    if name
                ],
            )

        return add_batch
