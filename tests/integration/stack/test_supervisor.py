"""The supervisor starts all programs or none, and names the program that fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from postil_stack.errors import MissingExtra, StartFailed
from postil_stack.programs import Program
from postil_stack.servers.child import Child
from postil_stack.state_file import ComponentState, StackState
from postil_stack.supervisor import Server, Supervisor

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


class FakeServer:
    """A server whose steps are functions of the test; its process is a Python that waits."""

    def __init__(self, tmp_path: Path, before: Callable[[], None], is_ready: Callable[[], bool]) -> None:
        self.before, self.is_ready = before, is_ready
        self.program = Program("server", [sys.executable, "-c", KEEPS_RUNNING], tmp_path / "server.log", dict)

    @property
    def child(self) -> Child | None:
        return self.program.child

    def spawn(self) -> Child:
        self.before()
        return self.program.spawn()

    def stop(self, timeout: float = 30.0) -> None:
        self.program.stop(timeout)


def with_server(tmp_path: Path, server: FakeServer, prepare: Callable[[], None]) -> Supervisor:
    """Return a supervisor of this server and of one program."""
    stack = supervisor(tmp_path, [], healthy=KEEPS_RUNNING)
    stack.servers = {"server": Server(server, ComponentState("server", "starting"), prepare)}
    stack.awaited = ()
    return stack


def test_a_first_download_does_not_use_up_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of the start begins when every server is spawned: a slow download is not the programs' fault."""
    clock = time.monotonic
    late = 0.0

    def download() -> None:
        nonlocal late
        late = 1000.0

    stack = with_server(tmp_path, FakeServer(tmp_path, download, lambda: True), lambda: None)
    monkeypatch.setattr("postil_stack.supervisor.time.monotonic", lambda: clock() + late)
    stack.run(on_ready=stack.stopping.set)
    assert late > stack.timeout


def test_a_server_that_hangs_is_named_before_the_programs(tmp_path: Path) -> None:
    """If a server is never ready, the error names it, and not only the programs that wait for it."""
    end = threading.Event()

    def hang() -> None:
        end.wait()

    server = FakeServer(tmp_path, lambda: None, lambda: True)
    stack = with_server(tmp_path, server, hang)
    stack.timeout = 1.0
    try:
        with pytest.raises(StartFailed, match=r"Not ready after 1 s: server"):
            stack.run(on_ready=lambda: pytest.fail("the start must not succeed"))
    finally:
        end.set()


def test_an_unexpected_error_of_a_server_is_typed(tmp_path: Path) -> None:
    """An exception of a library ends the start as `StartFailed` with the server's name, and not with a stack trace."""

    def fail() -> None:
        raise LookupError("no such thing")

    stack = with_server(tmp_path, FakeServer(tmp_path, fail, lambda: True), lambda: None)
    with pytest.raises(StartFailed, match="server did not start: LookupError: no such thing"):
        stack.run(on_ready=lambda: pytest.fail("the start must not succeed"))
