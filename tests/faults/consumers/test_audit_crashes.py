"""The audit consumer is killed between any two of its steps, and records each event once after a restart."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postil_consumers.audit.verify.log_check import verify_log

# Consumes 101 messages, with duplicates and a dead letter, in batches of 7 into segments of 16 records.
# Starts one child for each failpoint on the command line, one after another, and prints their exit codes.
CONSUMER = """
import json, os, sys
from pathlib import Path
import structlog
from postil.runtime import failpoints
from postil_consumers.audit.sink import AuditSink
from postil_consumers.testing import MemoryGaps, MemorySource, event_value
from postil_consumers.runtime.runner import Runner
from postil_consumers.runtime.sink import Partition

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

def consume(audit_dir):
    partition = Partition("events", 0)
    source = MemorySource([partition], batch=7)
    for number in range(90):
        run = f"run-{number % 4}"
        source.put(partition, f"default/{run}".encode(), event_value(run, number // 4 + 1))
        if number % 9 == 8:  # a relay that was killed publishes some twice
            source.put(partition, f"default/{run}".encode(), event_value(run, number // 4 + 1))
    source.put(partition, None, b"garbage")
    sink = AuditSink(Path(audit_dir), segment_records=16)
    runner = Runner(source, sink, MemoryGaps())
    source.quiet = runner.stop.set
    runner.run()
    sink.shutdown()

ends = []
for failpoint in sys.argv[2:]:
    child = os.fork()
    if not child:
        failpoints.arm(failpoint)
        consume(sys.argv[1])
        os._exit(0)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(ends))
"""

TORN = {"audit.records_torn", "audit.records_written", "audit.records_durable", "audit.manifest_torn"}
"""The steps after which a killed consumer leaves bytes that no manifest entry covers."""

STEPS = [
    "audit.nothing_written",
    "audit.records_torn",
    "audit.records_written",
    "audit.records_durable",
    "audit.manifest_torn",
    "audit.manifest_written",
    "audit.manifest_durable",
    "audit.segment_begun",
    "audit.index_updated",
    "runner.offsets_committed",
]


def consume(audit_dir: Path, *failpoints: str) -> list[int]:
    """Start a consumer for each failpoint ("" for none) and return their exit codes."""
    process = subprocess.run(
        [sys.executable, "-c", CONSUMER, str(audit_dir), *failpoints],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def segments(audit_dir: Path) -> dict[str, bytes]:
    """Return the content of each segment by its file name."""
    return {path.name: path.read_bytes() for path in (audit_dir / "events-0").glob("0*.ndjson")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The segments of a consumer that was never killed."""
    audit_dir = tmp_path_factory.mktemp("undisturbed")
    assert consume(audit_dir, "") == [0]
    report = verify_log(audit_dir / "events-0")
    assert (report.records, report.dead_letters) == (91, 1)
    return segments(audit_dir)


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_is_not_reported_as_tampering(tmp_path: Path, step: str) -> None:
    """After a kill at any step the check has no finding, and uncovered bytes at the end are a finding."""
    assert consume(tmp_path, f"{step}:2") == [-signal.SIGKILL]

    report = verify_log(tmp_path / "events-0")

    assert ([str(finding) for finding in report.findings], report.uncovered > 0) == ([], step in TORN)
    assert bool(report.inconclusive) == (step in TORN)


@pytest.mark.parametrize("step", STEPS)
def test_repeated_crashes_do_not_change_the_log(
    tmp_path: Path, undisturbed: dict[str, bytes], step: str
) -> None:
    """After four kills at one step and a last undisturbed start, the segments equal those of a consumer never killed."""
    first, *_, last = consume(tmp_path, f"{step}:1", f"{step}:2", f"{step}:5", f"{step}:3", "")

    assert (first, last) == (-signal.SIGKILL, 0)
    assert segments(tmp_path) == undisturbed
    report = verify_log(tmp_path / "events-0")
    assert (list(report.findings), list(report.inconclusive), report.uncovered) == ([], [], 0)
