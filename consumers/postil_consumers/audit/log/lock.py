"""One writer per directory: an advisory lock, which the operating system releases when its holder ends or is killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from postil_consumers.errors import AuditLogLocked


class DirectoryLock:
    """Holds ``lock`` in a directory until closed. The file stays, and has the process id of its last holder."""

    def __init__(self, directory: Path) -> None:
        """Take the lock, or raise `AuditLogLocked` at once, naming the holder."""
        path = directory / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise AuditLogLocked(
                f"{directory} is being written by another process (pid {holder}).",
                advice="Use that one, or stop it first; two writers would fork the log.",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._fd)
