"""What a stack writes down about itself (``stack.json``), and the lock that makes it the only one in its directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from postil.settings import STACK_FILE
from postil_stack.errors import AlreadyRunning
from postil_stack.servers.private_files import private_directory, write_private

LOCK_FILE = "stack.lock"
MARK = "POSTIL_STACK"
"""Environment variable every program of a stack carries, so that it is recognised when its supervisor is gone."""


@dataclass
class PartRecord:
    """One part of the stack, as last seen by its supervisor."""

    label: str
    status: str  # starting · ready · restarting · failing · external
    version: str | None = None
    pid: int | None = None
    created: float | None = None
    since: float | None = None
    restarts: int = 0
    message: str | None = None

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return (
            self.pid is not None and self.created is not None and process(self.pid, self.created) is not None
        )


@dataclass
class StackRecord:
    """The whole stack. `settings` are fields of `postil.settings.Settings`; they hold passwords, hence mode 0600."""

    pid: int
    created: float
    settings: Mapping[str, Any]
    http_url: str
    kafka: str  # embedded · memory · external
    processes: dict[str, PartRecord] = field(default_factory=dict[str, PartRecord])

    def write(self, data_dir: Path) -> None:
        """Replace the record on disk."""
        write_private(data_dir / STACK_FILE, json.dumps(asdict(self), indent=1, default=str) + "\n")


def read(data_dir: Path) -> StackRecord | None:
    """The record of the stack in `data_dir`, or None where there is none that can be read."""
    try:
        found: Any = json.loads((data_dir / STACK_FILE).read_text("utf-8"))
        parts = {name: PartRecord(**part) for name, part in found.pop("processes").items()}
        return StackRecord(**found, processes=parts)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def forget(data_dir: Path) -> None:
    """Remove the record: the stack ended in order."""
    with contextlib.suppress(OSError):  # not there, or no place where it could be
        (data_dir / STACK_FILE).unlink()


def process(pid: int, created: float) -> psutil.Process | None:
    """The process with this id, only if it is the one that started then: a number given anew is somebody else."""
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - created) < 1.0 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return found if same else None


@contextmanager
def ownership(data_dir: Path) -> Generator[None]:
    """Own `data_dir` while the block runs. The system lets go of it however the process ends.

    Raises `AlreadyRunning` where another stack owns it.
    """
    private_directory(data_dir)
    with (data_dir / LOCK_FILE).open("w") as lock:
        deadline = time.monotonic() + 0.5  # `postil status` holds it for a moment to see whether it is held
        while not _taken(lock):
            if time.monotonic() > deadline:
                other = read(data_dir)
                raise AlreadyRunning(
                    f"A stack runs in {data_dir} already" + (f" (process {other.pid})." if other else "."),
                    advice="See `postil status`; end it with `postil down`, or choose another place with --data DIR.",
                )
            time.sleep(0.02)
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_owned(data_dir: Path) -> bool:
    """Whether a supervisor owns `data_dir` at this moment."""
    try:
        with (data_dir / LOCK_FILE).open("r") as lock:
            return not _taken(lock)
    except OSError:
        return False


def leftovers(data_dir: Path) -> list[psutil.Process]:
    """Programs of a stack in `data_dir` whose supervisor was killed."""
    mark = os.path.realpath(data_dir)  # Path.resolve raises where links go round in a circle
    found: list[psutil.Process] = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if candidate.environ().get(MARK) == mark and candidate.pid != os.getpid():
                found.append(candidate)
    return found


def end(processes: list[psutil.Process], timeout: float = 10.0) -> None:
    """Ask `processes` to end, kill those that have not after `timeout` seconds."""
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.terminate()
    for one in psutil.wait_procs(processes, timeout=timeout)[1]:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(processes, timeout=5)
