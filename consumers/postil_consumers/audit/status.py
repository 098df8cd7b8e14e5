"""The state of an audit log as its files show it: how many records it holds, and whether its writer runs.

Only the end of each manifest is read, so the cost does not grow with the log.
`postil audit verify` checks whether the log was tampered with.
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

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from postil_consumers.audit.log.layout import MANIFEST, segment_files

_TAIL_BYTES = 64 * 1024
"""Bytes read from the end of a manifest: a few hundred entries."""
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
    """Return the state of the audit log in `directory`, and its figures."""
    try:
        manifests = sorted(directory.glob(f"*/{MANIFEST}"))
        figures = _figures(manifests)
    except OSError as error:
        return {"state": "down", "reason": f"{directory} cannot be read: {error.strerror}"}
    return {**_writer(directory / "health.json", started=bool(manifests)), **figures}


def _figures(manifests: list[Path]) -> _Figures:
    records = [_size(_tail(manifest)) for manifest in manifests]
    times = [manifest.stat().st_mtime for manifest in manifests]
    segments = [file.stat().st_size for manifest in manifests for file in segment_files(manifest.parent)]
    return {
        "leaves": sum(records),
        "segments": len(segments),
        "bytes": sum(segments),
        "committed_at": datetime.fromtimestamp(max(times), UTC) if any(records) else None,
    }


def _writer(health: Path, *, started: bool) -> AuditLogState:
    """Return the state of the process that writes the log, from the health file that it writes."""
    try:
        report: Any = json.loads(health.read_text("utf-8"))
        state, pid, reason = report["state"], int(report["pid"]), str(report["what"])
    except (OSError, ValueError, KeyError, TypeError):
        reason = "no process writes it; start `postil consume audit`"
        return {"state": "stopped" if started else "empty", "reason": reason}
    if not _is_running(pid):
        return {"state": "stopped", "reason": "its writer has ended; start `postil consume audit`"}
    return {"state": _STATES.get(state, "down"), "reason": reason or None}


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a process of another user
    return True


def _tail(manifest: Path) -> list[bytes]:
    with manifest.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - _TAIL_BYTES))
        lines = file.read().split(b"\n")
    return lines[:-1]  # the writer has not finished what follows the last line break


def _size(lines: list[bytes]) -> int:
    """Return the log's size as the newest whole entry with a size states it."""
    for line in reversed(lines):
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue  # the first line of the tail may be the end of a longer one
        if isinstance(entry, dict) and isinstance(size := cast("dict[str, Any]", entry).get("size"), int):
            return size
    return 0
