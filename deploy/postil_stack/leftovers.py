"""Programs of a stack that are still running although their supervisor was killed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

MARK = "POSTIL_STACK"
"""Environment variable of every program of a stack. It identifies the program when its supervisor is gone."""


def process(pid: int, created: float) -> psutil.Process | None:
    """Return the process with this id if it started at `created`, and None otherwise, because ids are reused."""
    try:
        candidate = psutil.Process(pid)
        same = abs(candidate.create_time() - created) < 1.0 and candidate.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return candidate if same else None


def leftovers(data_dir: Path) -> list[psutil.Process]:
    """Return the running programs of a stack in `data_dir`."""
    mark = os.path.realpath(data_dir)  # Path.resolve raises if links form a circle
    programs: list[psutil.Process] = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if candidate.environ().get(MARK) == mark and candidate.pid != os.getpid():
                programs.append(candidate)
    return programs


def end(processes: list[psutil.Process], timeout: float = 10.0) -> None:
    """Terminate `processes`, and kill those that are still running after `timeout` seconds."""
    for running in processes:
        with contextlib.suppress(psutil.Error):
            running.terminate()
    for running in psutil.wait_procs(processes, timeout=timeout)[1]:
        with contextlib.suppress(psutil.Error):
            running.kill()
    psutil.wait_procs(processes, timeout=5)
