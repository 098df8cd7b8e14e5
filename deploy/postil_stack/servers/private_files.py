"""Files and directories that other users of the machine can neither read nor enter."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from postil_stack.errors import DiskFull, EmbeddedError


def private_directory(path: Path) -> Path:
    """Create `path` (mode 0700) where it is missing, and close it to others where it is ours but open."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise refused(path, error) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, mode 0600 from its first byte on, durable when this returns."""
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
    """Return the password kept in `path`, drawing a new one (256 bits, letters and digits) where there is none."""
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text("utf-8").strip()


def refused(path: Path, error: OSError) -> EmbeddedError:
    """Say why the system refused to write `path`."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            f"No room left to write {path}.",
            advice="Free some space, or choose another place with --data DIR.",
        )
    return EmbeddedError(
        f"{path} cannot be written: {error.strerror or error}.",
        advice="Choose a directory of your own with --data DIR.",
    )
