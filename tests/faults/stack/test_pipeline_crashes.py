"""The promise of the whole: kill anything in the middle of an import, and nothing is lost, doubled or out of order."""

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

CASES, EVENTS_PER_CASE = 1_500, 5  # of each log: some seconds of import
DEADLINE = 90.0

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
    """The data directory of a stack of this test's own."""
    directory = tmp_path / "data"
    up = postil(directory, "up", "--detach", "--port", "0")
    assert up.returncode == 0, up.stderr
    try:
        yield directory
    finally:
        postil(directory, "down")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something to become true, looking often; the deadline only ends a test that has failed."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"it never came about: {what}"
        select.select([], [], [], 0.02)


def running(data: Path) -> StackState:
    found = state_file.read(data)
    assert found is not None
    return found


def runs_stored(data: Path) -> int:
    try:
        with psycopg.connect(running(data).settings["database_url"]) as connection:
            row = connection.execute("select count(*) from postil.run").fetchone()
            return row[0] if row else 0
    except psycopg.OperationalError:  # it is just being killed
        return 0


def kill(data: Path, part: str) -> Callable[[], bool]:
    """Kill one part without a word; what is returned tells whether another has taken its place and is ready."""
    before = running(data).processes[part].pid
    assert before is not None
    os.kill(before, signal.SIGKILL)

    def is_back() -> bool:
        now = running(data).processes[part]
        return now.pid != before and now.status == "ready"

    return is_back


def write_log(file: Path) -> None:
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


def test_everything_is_killed_in_the_middle_of_an_import_and_the_record_is_whole(
    data: Path, tmp_path: Path
) -> None:
    logs: list[Path] = []
    for part in ("relay", "audit", "serve", "kafka", "postgres"):
        logs.append(tmp_path / f"killed-{part}.xes")
        write_log(logs[-1])
        so_far = runs_stored(data)
        importer = subprocess.Popen(
            command("import", "--json", logs[-1]),
            env=environment(data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(lambda so_far=so_far: runs_stored(data) > so_far, "the import begins")
            importer.send_signal(signal.SIGSTOP)  # so that it is in the middle, however quick the machine
            assert importer.poll() is None, f"the import ended before {part} was killed: make the log longer"
            is_back = kill(data, part)
            importer.send_signal(signal.SIGCONT)  # it goes on without the part
            until(is_back, f"{part} is back")
            printed, complained = importer.communicate(timeout=DEADLINE)
        finally:
            importer.kill()
            importer.communicate()
        assert importer.returncode == 0, f"{printed}\n{complained}"

    verified = postil(data, "verify", "--json", "--wait", "60")
    assert verified.returncode == 0, f"{verified.stdout}\n{verified.stderr}"
    answer = json.loads(verified.stdout)
    # run:created, a start and an end for each event of the case, run:completed
    events = len(logs) * CASES * (2 + 2 * EVENTS_PER_CASE)
    assert answer["runs"] == len(logs) * CASES
    assert {copy: answer["events"][copy] for copy in ("postgres", "kafka", "audit")} == dict.fromkeys(
        ("postgres", "kafka", "audit"), events
    )
    again = postil(data, "import", "--json", *logs)
    assert again.returncode == 0
    assert runs_stored(data) == len(logs) * CASES
