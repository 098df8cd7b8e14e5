"""The report of `postil verify` as text and as data: what was compared, what is wrong, what is inconclusive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postil_consumers.audit.verify.findings import Findings
from postil_consumers.audit.verify.log_check import LogReport


@dataclass
class Report:
    """How much was compared, and the result.

    `findings` prove damage, `inconclusive` differences may still disappear, `remarks` are not defects.
    """

    runs: int = 0
    events: int = 0
    messages: int = 0
    duplicates: int = 0
    recorded: int = 0
    logs: list[LogReport] = field(default_factory=list[LogReport])
    findings: Findings = field(default_factory=Findings)
    inconclusive: Findings = field(default_factory=Findings)
    remarks: Findings = field(default_factory=Findings)

    @property
    def exit_code(self) -> int:
        """0: sound. 1: wrong. 2: inconclusive."""
        return 1 if self.findings else 2 if self.inconclusive else 0

    @property
    def verdict(self) -> str:
        """The meaning of the exit code, as a word."""
        return {0: "sound", 1: "WRONG", 2: "inconclusive"}[self.exit_code]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as data, for `--json`."""
        return {
            "verdict": {0: "sound", 1: "wrong", 2: "unknown"}[self.exit_code],
            "runs": self.runs,
            "events": {
                "postgres": self.events,
                "kafka": self.messages,
                "kafka_duplicates": self.duplicates,
                "audit": self.recorded,
            },
            "audit_logs": [
                {
                    "log": log.name,
                    "records": log.records,
                    "dead_letters": log.dead_letters,
                    "uncovered_bytes": log.uncovered,
                }
                for log in self.logs
            ],
            "findings": _listed(self.findings),
            "doubts": _listed(self.inconclusive),
            "notes": _listed(self.remarks),
        }

    def lines(self) -> list[str]:
        """Return the report as text, without the verdict."""
        kinds = self.findings.counts
        gapless = "run_seq gapless" if not kinds["run_seq"] else f"{kinds['run_seq']:,} with wrong run_seq"
        same = self.events == self.messages == self.recorded
        compared = (
            "postgres = kafka = audit log"
            if same
            else (f"postgres; kafka {self.messages:,}; audit log {self.recorded:,}")
        )
        records = sum(log.records for log in self.logs)
        broken = sum(bool(log.findings) for log in self.logs)
        chains = "chains sound" if not broken else f"{broken} tampered with"
        return [
            f"  runs       {self.runs:>12,}   {gapless}",
            f"  events     {self.events:>12,}   {compared}",
            f"  audit log  {len(self.logs):>12,}   logs, {records:,} records, {chains}",
        ]


def _listed(findings: Findings) -> dict[str, Any]:
    return {
        "count": len(findings),
        "by_kind": dict(findings.counts),
        "listed": findings.listed(),
    }
