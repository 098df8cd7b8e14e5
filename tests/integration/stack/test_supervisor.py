"""The supervisor starts all or nothing, and names the part that will not live."""

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
STAYS = READY + "signal.pause()"


def supervisor(
    tmp_path: Path, seen: list[tuple[str, str]], needs: Sequence[str] = (), **code: str
) -> Supervisor:
    programs = {
        name: Program(name, [sys.executable, "-c", text], tmp_path / f"{name}.log", dict, needs)
        for name, text in code.items()
    }

    def report(name: str, part: ComponentState, _seconds: float) -> None:
        seen.append((name, part.status))

    stack = StackState(0, 0.0, {}, "", "external")
    return Supervisor(tmp_path, {}, programs, stack, dict, report)


def test_a_program_that_will_not_start_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    broken = supervisor(tmp_path, seen, well=STAYS, broken="raise SystemExit('error: no such table')")
    with pytest.raises(StartFailed, match="broken did not start: error: no such table") as failed:
        broken.run(on_ready=lambda: pytest.fail("it was never ready"))
    assert str(tmp_path / "broken.log") in failed.value.advice
    assert ("broken", "restarting") in seen
    assert broken.programs["well"].child is None  # ended with the rest


def test_a_program_that_is_never_ready_does_not_hold_up_the_start_for_ever(tmp_path: Path) -> None:
    silent = supervisor(tmp_path, [], silent="import signal; signal.pause()")
    silent.timeout = 0.5
    with pytest.raises(StartFailed, match=r"Not ready after \d s: silent"):
        silent.run(on_ready=lambda: pytest.fail("it was never ready"))


def test_a_missing_package_is_named_before_anything_is_started(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    lacking = supervisor(tmp_path, seen, needs=["no_such_package"], well=STAYS)
    with pytest.raises(MissingExtra, match="no_such_package") as failed:
        lacking.run(on_ready=lambda: pytest.fail("it was never ready"))
    assert "pip install 'postil[all]'" in failed.value.advice
    assert seen == []


def test_a_program_that_dies_again_and_again_is_shown_as_failing(tmp_path: Path) -> None:
    """It lives until the stack is ready, then dies at once whenever it is started."""
    seen: list[tuple[str, str]] = []
    marker = tmp_path / "ready"
    code = (
        f"import pathlib; first = not pathlib.Path({str(marker)!r}).exists()\n"
        "if not first: raise SystemExit('gone')\n" + STAYS
    )
    stack = supervisor(tmp_path, seen, frail=code)

    def once_ready() -> None:
        marker.touch()
        child = stack.programs["frail"].child
        assert child is not None
        child.process.kill()

    def stop_when_failing(name: str, part: ComponentState, _seconds: float) -> None:
        seen.append((name, part.status))
        if part.status == "failing":
            assert part.message == "gone"
            stack.stopping.set()

    stack.report = stop_when_failing
    stack.run(on_ready=once_ready)
    assert seen == [
        ("frail", status) for status in ("starting", "ready", "restarting", "restarting", "failing")
    ]
