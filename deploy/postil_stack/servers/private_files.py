"""Private files and directories: other users of the machine cannot read them."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from postil_stack.errors import DiskFull, EmbeddedError


def private_directory(path: Path) -> Path:
    """Create `path` with mode 0700 if it is missing, and restrict it to 0700 if this user owns it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise refused(path, error) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Replace the file at `path` atomically. It has mode 0600 from the start, and is durable when this returns."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise refused(path, error) from error


def secret(path: Path) -> str:
    """Return the password in the file `path`. Creates the file with 256 random bits in hexadecimal if it is missing."""
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text("utf-8").strip()


def refused(path: Path, error: OSError) -> EmbeddedError:
    """Return the error for a file that the system refused to write."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            f"There is no space left to write {path}.",
            advice="Free some space, or choose another place with --data DIR.",
        )
    return EmbeddedError(
        f"{path} cannot be written: {error.strerror or error}.",
        advice="Choose a directory that you own with --data DIR.",
    )
