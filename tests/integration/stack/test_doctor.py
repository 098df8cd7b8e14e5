"""The doctor reports the audit log's writer, and not only its directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from postil.settings import load_settings
from postil_stack.doctor.audit_log import check_audit_log

NO_PROCESS = 2**31 - 1
"""A process id that no process has."""


@pytest.mark.parametrize(
    ("pid", "state", "verdict", "words"),
    [
        (os.getpid(), "green", "ok", "0 records"),
        (os.getpid(), "yellow", "bad", "the disk is full"),
        (os.getpid(), "red", "bad", "the disk is full"),
        (NO_PROCESS, "green", "note", "its writer has ended"),
        (None, "", "note", "is empty: no process writes it"),
    ],
    ids=["healthy", "waiting", "needs an operator", "ended", "never started"],
)
def test_the_state_of_the_writer_decides_the_verdict(
    tmp_path: Path, pid: int | None, state: str, verdict: str, words: str
) -> None:
    """A writer that runs without progress is bad, and none is a note while no message waits."""
    audit_dir = tmp_path / "audit"
    audit_dir.mkdir(mode=0o700)
    if pid is not None:
        log = audit_dir / "events-0"
        log.mkdir()
        (log / "manifest.ndjson").touch()
        health = {"pid": pid, "state": state, "what": "" if state == "green" else "the disk is full"}
        (audit_dir / "health.json").write_text(json.dumps(health))
    (finding,) = check_audit_log(load_settings(audit_dir=audit_dir))
    assert finding.verdict == verdict
    assert words in finding.found
