"""The lock that allows one stack per data directory."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from postil_stack import state_file
from postil_stack.errors import AlreadyRunning
from postil_stack.servers.private_files import private_directory

LOCK_FILE = "stack.lock"


@contextmanager
def ownership(data_dir: Path) -> Generator[None]:
    """Hold the lock of `data_dir` while the block runs. The system releases it however the process ends.

    Raises `AlreadyRunning` if another stack holds it.
    """
    private_directory(data_dir)
    with (data_dir / LOCK_FILE).open("w") as lock:
        deadline = time.monotonic() + 0.5  # `postil status` holds it for a moment to test it
        while not _acquired(lock):
            if time.monotonic() > deadline:
                other = state_file.read(data_dir)
                raise AlreadyRunning(
                    f"A stack runs in {data_dir} already" + (f" (process {other.pid})." if other else "."),
                    advice="See `postil status`. Stop it with `postil down`, or choose another place with --data DIR.",
                )
            time.sleep(0.02)
        yield


def is_owned(data_dir: Path) -> bool:
    """Whether a supervisor holds the lock of `data_dir` now."""
    try:
        with (data_dir / LOCK_FILE).open("r") as lock:
            return not _acquired(lock)
    except OSError:
        return False


def _acquired(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
