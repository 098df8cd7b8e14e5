"""The errors of a log's files, each with its advice."""

from __future__ import annotations

from pathlib import Path

from postil_consumers.errors import AuditLogDamaged, AuditLogUnreadable, StorageFailed


def damaged(file: Path, what: str) -> AuditLogDamaged:
    """Return the error with which a writer refuses to continue a log, because of what is wrong in `file`."""
    return AuditLogDamaged(
        f"{file}: {what}",
        advice=f"Nothing was changed. Run `postil audit verify {file.parent}` for every place, keep a copy as evidence, "
        "then restore the directory from a backup, or move it away and let the log be written anew from Kafka.",
    )


def storage_failed(directory: Path, error: OSError) -> StorageFailed:
    """Return the error of a writer that cannot write (or read) its directory now."""
    return StorageFailed(
        f"{error.filename or directory} cannot be read or written: {error.strerror or error}",
        advice="Free space, correct the permissions, or name another place with POSTIL_AUDIT_DIR; "
        "nothing is lost, and a running writer continues without a restart.",
    )


def unreadable(directory: Path, error: OSError) -> AuditLogUnreadable:
    """Return the error of a verifier that cannot read a file of the log."""
    return AuditLogUnreadable(
        f"{error.filename or directory} cannot be read: {error.strerror or error}",
        advice="Name the audit directory, and run it as a user who may read it.",
    )
