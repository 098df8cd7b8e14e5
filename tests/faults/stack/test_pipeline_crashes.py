"""Each part of the pipeline is killed during an import; no event is lost, doubled or out of order."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from postil_stack import state_file
from postil_stack.state_file import StackState

CASES, EVENTS_PER_CASE = 1_500, 5  # of each log; importing one takes some seconds
TIMEOUT = 90.0  # seconds

pytestmark = pytest.mark.xdist_group("stack")


def postil(data: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(data), capture_output=True, text=True, check=False
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "postil", *map(str, arguments)]


def environment(data: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTIL_")}
    return clean | {"POSTIL_DATA_DIR": str(data)}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data directory of a stack that only this test uses."""
    directory = tmp_path / "data"
    up = postil(directory, "up", "--detach", "--port", "0")
    assert up.returncode == 0, up.stderr
    try:
        yield directory
    finally:
        postil(directory, "down")


def wait_until(condition: Callable[[], bool], event: str) -> None:
    """Check `condition` 50 times a second until it is true; fail the test after `TIMEOUT`."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"this did not happen: {event}"
        select.select([], [], [], 0.02)


def stack_state(data: Path) -> StackState:
    """Return the state of the stack, which must exist."""
    state = state_file.read(data)
    assert state is not None
    return state


def runs_stored(data: Path) -> int:
    """Return the number of runs in Postgres; 0 while Postgres is down."""
    try:
        with psycopg.connect(stack_state(data).settings["database_url"]) as connection:
            row = connection.execute("select count(*) from postil.run").fetchone()
            return row[0] if row else 0
    except psycopg.OperationalError:  # the server was killed a moment ago
        return 0


def kill(data: Path, part: str) -> Callable[[], bool]:
    """Send SIGKILL to one part; the returned function is true once its replacement is ready."""
    killed_pid = stack_state(data).processes[part].pid
    assert killed_pid is not None
    os.kill(killed_pid, signal.SIGKILL)

    def is_back() -> bool:
        state = stack_state(data).processes[part]
        return state.pid != killed_pid and state.status == "ready"

    return is_back


def write_log(file: Path) -> None:
    """Write an XES log with `CASES` cases."""
    with file.open("w", encoding="utf-8") as log:
        log.write('<log xes.version="1849-2016" xmlns="http://www.xes-standard.org/">\n')
        for case in range(CASES):
            log.write(f'<trace><string key="concept:name" value="case {case}"/>\n')
            for event in range(EVENTS_PER_CASE):
                log.write(
                    f'<event><string key="concept:name" value="step {event}"/>'
                    f'<string key="org:resource" value="clerk {case % 7}"/>'
                    f'<date key="time:timestamp" value="2026-01-02T03:04:{event:02}Z"/></event>\n'
                )
            log.write("</trace>\n")
        log.write("</log>\n")


def test_each_part_is_killed_during_an_import_without_a_loss(data: Path, tmp_path: Path) -> None:
    """Each part is killed during an import; then all copies hold the same events, and a second import adds no run."""
    logs: list[Path] = []
    for part in ("relay", "audit", "serve", "kafka", "postgres"):
        logs.append(tmp_path / f"killed-{part}.xes")
        write_log(logs[-1])
        runs_before = runs_stored(data)
        importer = subprocess.Popen(
            command("import", "--json", logs[-1]),
            env=environment(data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda runs_before=runs_before: runs_stored(data) > runs_before, "the import begins")
            importer.send_signal(signal.SIGSTOP)  # a fast machine must not finish the import before the kill
            assert importer.poll() is None, f"the import ended before {part} was killed: make the log longer"
            is_back = kill(data, part)
            importer.send_signal(signal.SIGCONT)  # the import continues without the part
            wait_until(is_back, f"{part} is back")
            output, errors = importer.communicate(timeout=TIMEOUT)
        finally:
            importer.kill()
            importer.communicate()
        assert importer.returncode == 0, f"{output}\n{errors}"

    result = postil(data, "verify", "--json", "--wait", "60")
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    report = json.loads(result.stdout)
    # run:created, a start and an end for each event of the case, run:completed
    events = len(logs) * CASES * (2 + 2 * EVENTS_PER_CASE)
    assert report["runs"] == len(logs) * CASES
    assert {copy: report["events"][copy] for copy in ("postgres", "kafka", "audit")} == dict.fromkeys(
        ("postgres", "kafka", "audit"), events
    )
    repeated = postil(data, "import", "--json", *logs)
    assert repeated.returncode == 0
    assert runs_stored(data) == len(logs) * CASES
