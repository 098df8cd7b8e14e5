"""The audit consumer is killed between any two of its steps; the restart leaves every event exactly once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postil_consumers.audit.verify.log_check import verify_log

# Consumes 101 messages in batches of 7, duplicates and a dead letter among them, into segments of 16.
# One child per failpoint named on the command line, one after the other; says how each ended.
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
        if number % 9 == 8:  # what a relay that was killed sends again
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
"""Where a death leaves bytes that no entry covers."""

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
    """Consume once for each failpoint ("": to the end), and answer how each ended."""
    done = subprocess.run(
        [sys.executable, "-c", CONSUMER, str(audit_dir), *failpoints],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def segments(audit_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (audit_dir / "events-0").glob("0*.ndjson")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the log holds where nothing went wrong."""
    audit_dir = tmp_path_factory.mktemp("undisturbed")
    assert consume(audit_dir, "") == [0]
    report = verify_log(audit_dir / "events-0")
    assert (report.records, report.dead_letters) == (91, 1)
    return segments(audit_dir)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_the_log_is_not_called_tampered_and_its_torn_end_is_named(
    tmp_path: Path, step: str
) -> None:
    assert consume(tmp_path, f"{step}:2") == [-signal.SIGKILL]

    report = verify_log(tmp_path / "events-0")

    assert ([str(found) for found in report.findings], report.uncovered > 0) == ([], step in TORN)
    assert bool(report.doubts) == (step in TORN)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_again_and_again_the_log_ends_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: dict[str, bytes], step: str
) -> None:
    first, *_, last = consume(tmp_path, f"{step}:1", f"{step}:2", f"{step}:5", f"{step}:3", "")

    assert (first, last) == (-signal.SIGKILL, 0)
    assert segments(tmp_path) == undisturbed
    report = verify_log(tmp_path / "events-0")
    assert (list(report.findings), list(report.doubts), report.uncovered) == ([], [], 0)
