"""What the audit log's own files say of it: how many records are sealed, since when, and whether its writer lives.

Only the end of each manifest is read, so a look costs the same however long the log is.
Whether the log was tampered with is for `postil audit verify` to say.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic needs this TypedDict before Python 3.12
    cast,
)

from typing_extensions import TypedDict

from postil_consumers.audit.log.recovery import MANIFEST

_TAIL = 64 * 1024
"""Bytes read from a manifest's end: a few hundred entries."""
_STATES: dict[str, Literal["ok", "waiting"]] = {"green": "ok", "yellow": "waiting"}


class _Figures(TypedDict):
    leaves: int
    segments: int
    bytes: int
    committed_at: datetime | None


class AuditLogState(TypedDict):
    """The state of an audit log's writer, and the log's figures; only an unreadable directory has none."""

    state: Literal["ok", "waiting", "behind", "stopped", "empty", "down"]
    reason: str | None
    leaves: NotRequired[int]
    segments: NotRequired[int]
    bytes: NotRequired[int]
    committed_at: NotRequired[datetime | None]


def audit_log(directory: Path) -> AuditLogState:
    """The state of the audit log in `directory`: ``ok``, ``empty``, ``stopped`` or ``down``, and its figures."""
    try:
        manifests = sorted(directory.glob(f"*/{MANIFEST}"))
        figures = _figures(manifests)
    except OSError as error:
        return {"state": "down", "reason": f"{directory} cannot be read: {error.strerror}"}
    return {**_writer(directory / "health.json", begun=bool(manifests)), **figures}


def _figures(manifests: list[Path]) -> _Figures:
    records = [_size(_tail(manifest)) for manifest in manifests]
    changed = [manifest.stat().st_mtime for manifest in manifests]
    segments = [file.stat().st_size for m in manifests for file in m.parent.glob("0*.ndjson")]
    return {
        "leaves": sum(records),
        "segments": len(segments),
        "bytes": sum(segments),
        "committed_at": datetime.fromtimestamp(max(changed), UTC) if any(records) else None,
    }


def _writer(health: Path, *, begun: bool) -> AuditLogState:
    """Whether the process that writes the log is there and well, from the file it keeps about itself."""
    try:
        said: Any = json.loads(health.read_text("utf-8"))
        state, pid, reason = said["state"], int(said["pid"]), str(said["what"])
    except (OSError, ValueError, KeyError, TypeError):
        reason = "nobody writes it; start `postil consume audit`"
        return {"state": "stopped" if begun else "empty", "reason": reason}
    if not _lives(pid):
        return {"state": "stopped", "reason": "its writer has ended; start `postil consume audit`"}
    return {"state": _STATES.get(state, "down"), "reason": reason or None}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def _tail(manifest: Path) -> list[bytes]:
    with manifest.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - _TAIL))
        lines = file.read().split(b"\n")
    return lines[:-1]  # what follows the last line break is still being written


def _size(lines: list[bytes]) -> int:
    """The log's size after the newest whole entry that tells it."""
    for line in reversed(lines):
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue  # the first line of the tail may be the end of a longer one
        if isinstance(entry, dict) and isinstance(size := cast("dict[str, Any]", entry).get("size"), int):
            return size
    return 0
