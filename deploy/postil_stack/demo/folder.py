"""Reads a folder without changing it: lists its files, and describes each by its content."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

SKIPPED = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache",
    ".postil", ".tox", ".cache",
})  # fmt: skip
"""Folders that belong to other programs."""
SCANNED = 1024 * 1024
"""How many bytes at the start of a file are searched for secrets."""
HASHED = 256 * 1024 * 1024
"""The largest file that is read and hashed, in bytes. A larger one is judged by its size."""

# Patterns of secrets. Only the kind and the line are recorded, never the text.
_SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key id": re.compile(rb"\bAKIA[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "a password or key in an assignment": re.compile(
        rb"(?i)\b(?:password|passwd|secret|api_?key|access_?token)\b['\"]?\s*[:=]\s*['\"][^'\"\s$<>{}]{8,}['\"]"
    ),
}


class Suspicion(TypedDict):
    """Something that looks like a secret: its kind, and its line."""

    kind: str
    line: int


class FileDescription(TypedDict):
    """What is known about one file. `sha256` is missing if the file is too large; `unreadable` is why it could not be read."""

    path: str
    bytes: int
    sha256: NotRequired[str]
    unreadable: NotRequired[str]
    suspicions: NotRequired[list[Suspicion]]


@dataclass(frozen=True)
class Listing:
    """The files of a folder in a stable order, and what was left out, with the reason."""

    files: list[Path]
    skipped: list[str] = field(default_factory=list[str])
    beyond_limit: int = 0


def listing(root: Path, *, limit: int, leave_out: frozenset[Path] = frozenset()) -> Listing:
    """List the regular files under `root`, at most `limit` of them. Links are not followed.

    Folders in `SKIPPED` and in `leave_out` are not entered. Counting ends at a hundred times the limit.
    """
    files: list[Path] = []
    skipped: list[str] = []
    beyond = 0

    def on_error(error: OSError) -> None:
        skipped.append(f"{printable(Path(error.filename or '?'))}: {error.strerror}")

    for at, folders, names in os.walk(root, onerror=on_error):
        here = Path(at)
        excluded = [
            name for name in sorted(folders) if name in SKIPPED or (here / name).resolve() in leave_out
        ]
        skipped += [printable((here / name).relative_to(root)) for name in excluded]
        folders[:] = sorted(set(folders).difference(excluded))
        for name in sorted(names):
            path = here / name
            if path.is_symlink() or not path.is_file():
                skipped.append(f"{printable(path.relative_to(root))}: not a regular file")
            elif len(files) < limit:
                files.append(path)
            else:
                beyond += 1
        if beyond > limit * 100:
            break
    return Listing(files, skipped[:100], beyond)


def describe(path: Path, name: str) -> FileDescription:
    """Read a file and describe it. A file that cannot be read is described as unreadable; no error is raised."""
    try:
        size = path.stat().st_size
        if size > HASHED:
            return {"path": name, "bytes": size}
        digest = hashlib.sha256()
        beginning = b""
        with path.open("rb") as file:
            while chunk := file.read(SCANNED):
                beginning = beginning or chunk
                digest.update(chunk)
    except OSError as error:
        return {"path": name, "bytes": 0, "unreadable": error.strerror or type(error).__name__}
    description: FileDescription = {"path": name, "bytes": size, "sha256": digest.hexdigest()}
    if suspicions := _suspicions(beginning):
        description["suspicions"] = suspicions
    return description


def _suspicions(text: bytes) -> list[Suspicion]:
    if b"\0" in text:  # not text: patterns could match by chance
        return []
    return [
        {"kind": kind, "line": text.count(b"\n", 0, match.start()) + 1}
        for kind, pattern in _SECRETS.items()
        if (match := pattern.search(text))
    ]


def printable(path: Path) -> str:
    """Return a path as text that can be stored and shown. Bytes that are not UTF-8 are escaped."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
