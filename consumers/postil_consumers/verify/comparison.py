"""Compares the copies in the ledger: what is wrong, what is still inconclusive, and what deserves a remark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from postil_consumers.verify.ledger import Copy, Ledger, Row
from postil_consumers.verify.report import Report

_PAGE = 10_000


class Comparison:
    """Compares Kafka and the audit log with the events of the snapshot.

    `parked`: the runs that the relay parked, each with the run_seq from which on, and the reason.
    `oldest`: for each partition, the first offset that Kafka still has.
    `audited`: for each partition, the offset that the audit log reads next.
    """

    def __init__(self, report: Report, ledger: Ledger) -> None:
        self.parked: Mapping[str, tuple[int, str]] = {}
        self.oldest: Mapping[int, int] = {}
        self.audited: dict[int, int] = {}
        self._report = report
        self._ledger = ledger

    def compare(self, copy: Copy) -> None:
        """Compare one kind of copy."""
        report, ledger, findings = self._report, self._ledger, self._report.findings
        for row in ledger.missing(copy):
            if copy == "message":
                self._judge_unpublished(row)
            else:
                self._judge_unrecorded(row)
        for row in ledger.unlike(copy):
            findings.add("bytes", "the bytes are not those Postgres has", **self._place(copy, row))
        for row, later in ledger.late(copy):
            findings.add("order", f"run_seq {row.run_seq} comes after {later}", **self._place(copy, row))
        for run, place, other in ledger.scattered(copy):
            places = f"{self._container(copy, place)} and {self._container(copy, other)}"
            findings.add("order", f"the run is in two places: {places}", copy=_NAMES[copy], run=run)
        there = report.events - ledger.missing_count(copy)
        if copy == "message":
            report.messages = there
            report.duplicates = ledger.count(copy) - ledger.count(copy, distinct=True)
        else:
            report.recorded = there
            for row in ledger.repeated(copy):
                findings.add("repeated", "the event is recorded more than once", **self._place(copy, row))

    def _judge_unpublished(self, row: Row) -> None:
        report, place = self._report, self._place("message", row)
        parked = self.parked.get(row.run)
        if parked and row.run_seq >= parked[0]:
            report.findings.add("parked", f"the relay parked the run at {parked[0]}: {parked[1]}", **place)
        elif not self._ledger.is_published(row):
            report.inconclusive.add("unpublished", "the relay has not published the event yet", **place)
        elif not self._may_have_expired(row):
            report.findings.add("missing", "Kafka lacks the event, which counts as published", **place)
        elif self._ledger.has("record", row):
            report.remarks.add("expired", "retention deleted the message; the audit log has it", **place)
        else:
            report.inconclusive.add("expired", "retention may have deleted the message", **place)

    def _may_have_expired(self, row: Row) -> bool:
        """Return whether Kafka deleted messages, and this one is older than all that it has of the run."""
        first = self._ledger.first_retained(row)
        return any(self.oldest.values()) and (first is None or row.run_seq < first)

    def _judge_unrecorded(self, row: Row) -> None:
        message = self._ledger.first_message(row)
        if message is None:
            return  # Kafka lacks it as well, and that is reported: a missing message cannot be recorded
        partition, offset = message
        place = self._place("record", row) | {"partition": partition, "offset": offset}
        if self.audited.get(partition, 0) <= offset:
            self._report.inconclusive.add("lag", "the audit log has not read the event yet", **place)
        else:
            self._report.findings.add(
                "missing", "the audit log lacks the event, and has read past it", **place
            )

    def look_again(
        self, digests: Callable[[Sequence[tuple[str, int]]], Mapping[tuple[str, int], bytes]]
    ) -> None:
        """Judge the copies of events that the snapshot lacks. They are newer than the snapshot, or forged.

        `digests` returns the digest that Postgres has now for each (run, run_seq).
        """
        copies: tuple[Copy, Copy] = ("message", "record")
        for copy in copies:
            unknown = self._ledger.unknown(copy)
            while page := list(islice(unknown, _PAGE)):
                there = digests([(row.run, row.run_seq) for row, _ in page])
                for row, digest in page:
                    now = there.get((row.run, row.run_seq))
                    if now is None:
                        self._report.findings.add(
                            "forged", "Postgres has no such event", **self._place(copy, row)
                        )
                    elif now != digest:
                        what = "the bytes are not those Postgres has"
                        self._report.findings.add("bytes", what, **self._place(copy, row))

    def _place(self, copy: Copy, row: Row) -> dict[str, str | int | None]:
        place: dict[str, str | int | None] = {"copy": _NAMES[copy], "run": row.run, "run_seq": row.run_seq}
        if row.place is not None:
            name, within = ("partition", "offset") if copy == "message" else ("log", "record")
            place[name] = row.place if copy == "message" else self._container(copy, row.place)
            place[within] = row.number
        return place

    def _container(self, copy: Copy, place: int) -> str:
        return f"partition {place}" if copy == "message" else self._report.logs[place].name


_NAMES: Mapping[Copy, str] = {"message": "kafka", "record": "audit log"}
