"""The supervisor starts all programs or none, and names the program that fails."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from postil_stack.errors import MissingExtra, StartFailed
from postil_stack.programs import Program
from postil_stack.state_file import ComponentState, StackState
from postil_stack.supervisor import Supervisor

READY = "import os, signal; os.write(int(os.environ['POSTIL_READY_FD']), b'ready\\n'); "
KEEPS_RUNNING = READY + "signal.pause()"


def supervisor(
    tmp_path: Path, reports: list[tuple[str, str]], needs: Sequence[str] = (), **code: str
) -> Supervisor:
    """Return a supervisor of one program for each keyword; it appends every reported status to `reports`."""
    programs = {
        name: Program(name, [sys.executable, "-c", text], tmp_path / f"{name}.log", dict, needs)
        for name, text in code.items()
    }

    def report(name: str, part: ComponentState, _seconds: float) -> None:
        reports.append((name, part.status))

    stack = StackState(0, 0.0, {}, "", "external")
    return Supervisor(tmp_path, {}, programs, stack, dict, report)


def test_a_failed_program_ends_the_start_with_its_error(tmp_path: Path) -> None:
    """A program that exits before it is ready fails the start with its last line, and ends the others."""
    reports: list[tuple[str, str]] = []
    broken = supervisor(
        tmp_path, reports, healthy=KEEPS_RUNNING, broken="raise SystemExit('error: no such table')"
    )
    with pytest.raises(StartFailed, match="broken did not start: error: no such table") as error:
        broken.run(on_ready=lambda: pytest.fail("the start must not succeed"))
    assert str(tmp_path / "broken.log") in error.value.advice
    assert ("broken", "restarting") in reports
    assert broken.programs["healthy"].child is None  # the supervisor ended it too


def test_a_program_that_is_never_ready_ends_the_start(tmp_path: Path) -> None:
    """A program that is not ready within the timeout fails the start and is named."""
    silent = supervisor(tmp_path, [], silent="import signal; signal.pause()")
    silent.timeout = 0.5
    with pytest.raises(StartFailed, match=r"Not ready after \d s: silent"):
        silent.run(on_ready=lambda: pytest.fail("the start must not succeed"))


def test_a_missing_package_is_named_before_any_start(tmp_path: Path) -> None:
    """A missing Python package raises `MissingExtra` with the package's name before a program starts."""
    reports: list[tuple[str, str]] = []
    lacking = supervisor(tmp_path, reports, needs=["no_such_package"], healthy=KEEPS_RUNNING)
    with pytest.raises(MissingExtra, match="no_such_package") as error:
        lacking.run(on_ready=lambda: pytest.fail("the start must not succeed"))
    assert "pip install 'postil[all]'" in error.value.advice
    assert reports == []


def test_a_program_that_always_dies_is_shown_as_failing(tmp_path: Path) -> None:
    """A program that exits after each restart gets the status `failing`, with its last line as the message."""
    reports: list[tuple[str, str]] = []
    marker = tmp_path / "ready"
    code = (
        f"import pathlib; first = not pathlib.Path({str(marker)!r}).exists()\n"
        "if not first: raise SystemExit('gone')\n" + KEEPS_RUNNING
    )
    stack = supervisor(tmp_path, reports, unstable=code)

    def kill_once_ready() -> None:
        marker.touch()
        child = stack.programs["unstable"].child
        assert child is not None
        child.process.kill()

    def stop_when_failing(name: str, part: ComponentState, _seconds: float) -> None:
        reports.append((name, part.status))
        if part.status == "failing":
            assert part.message == "gone"
            stack.stopping.set()

    stack.report = stop_when_failing
    stack.run(on_ready=kill_once_ready)
    assert reports == [
        ("unstable", status) for status in ("starting", "ready", "restarting", "restarting", "failing")
    ]
