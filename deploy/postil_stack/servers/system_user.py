"""The unprivileged system user PostgreSQL runs as when Postil itself runs as root, which PostgreSQL refuses."""

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
    """A user with no login, no password, no home and no other group."""

    uid: int
    gid: int


def unprivileged_user() -> SystemUser | None:
    """Return the user to switch to: none for an ordinary user; for root a system user of our own, made on first use.

    A user shared with anything else (``nobody``, ``postgres``) would give that the run of our data.
    Raises `EmbeddedError` where such a user can neither be found nor made.
    """
    if os.geteuid() != 0:
        return None
    found = _find() or _make()
    if found.uid == 0:
        raise EmbeddedError(f"User {NAME} is root.", advice=f"Remove that user: {NAME} must be unprivileged.")
    return found


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
    said = "neither useradd nor adduser is installed"
    for tool, options in tools.items():
        path = shutil.which(tool)
        if path is None:
            continue
        done = subprocess.run([path, *options, NAME], capture_output=True, text=True, check=False)  # noqa: S603 (found on PATH, no shell)
        # Somebody else may have made it at the same moment: what counts is that it is there.
        if made := _find():
            return made
        said = done.stderr.strip() or f"{tool} ended with status {done.returncode}"
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root, and the system user {NAME} could not be made: {said}.",
        advice=f"Run postil as an ordinary user, or make a system user named {NAME}.",
    )
