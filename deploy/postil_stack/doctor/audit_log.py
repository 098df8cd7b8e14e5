"""Checks of the audit log's directory."""

from __future__ import annotations

import os
from collections.abc import Iterator

from postil.settings import Settings
from postil_stack.doctor.report import Finding


def check_audit_log(settings: Settings) -> Iterator[Finding]:
    """Check that the audit log's directory can be written and is private."""
    path = settings.audit_path
    if not path.exists():
        yield Finding("audit log", "note", f"{path} does not exist yet", "postil consume audit writes it")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield Finding(
            "audit log", "bad", f"{path} cannot be written", "Make the user of the audit consumer its owner."
        )
    elif path.stat().st_mode & 0o007:
        yield Finding(
            "audit log", "note", f"all users of this machine can read {path}", f"chmod o-rwx {path}"
        )
    else:
        yield Finding("audit log", "ok", str(path))
