"""The unprivileged system user for PostgreSQL when Postil runs as root. PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass

from postil_stack.errors import EmbeddedError

NAME = "_postil"


@dataclass(frozen=True)
class SystemUser:
    """A user without login, password, home directory and other groups."""

    uid: int
    gid: int


def unprivileged_user() -> SystemUser | None:
    """Return the user to switch to: None for an ordinary user; for root a separate system user, created on first use.

    A user that other programs share, such as ``postgres``, would give these programs access to the data.
    Raises `EmbeddedError` if the user does not exist and cannot be created.
    """
    if os.geteuid() != 0:
        return None
    system_user = _find() or _make()
    if system_user.uid == 0:
        raise EmbeddedError(f"User {NAME} is root.", advice=f"Remove that user: {NAME} must be unprivileged.")
    return system_user


def _find() -> SystemUser | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return SystemUser(entry.pw_uid, entry.pw_gid)


def _make() -> SystemUser:
    tools = {
        "useradd": [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
        ],
        "adduser": ["-S", "-D", "-H", "-h", "/nonexistent", "-s", "/sbin/nologin"],  # BusyBox
    }
    reason = "neither useradd nor adduser is installed"
    for tool, options in tools.items():
        path = shutil.which(tool)
        if path is None:
            continue
        result = subprocess.run([path, *options, NAME], capture_output=True, text=True, check=False)  # noqa: S603 (found on PATH, no shell)
        # Another process may have created the user at the same moment, so only its existence counts.
        if created := _find():
            return created
        reason = result.stderr.strip() or f"{tool} ended with status {result.returncode}"
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root, and the system user {NAME} could not be created: {reason}.",
        advice=f"Run postil as an ordinary user, or create a system user named {NAME}.",
    )
