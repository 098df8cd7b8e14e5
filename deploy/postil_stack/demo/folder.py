"""Looks at a folder without changing anything: which files there are, and what can be said about one by reading it."""

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
"""Folders that other programs keep their own things in."""
SCANNED = 1024 * 1024
"""Bytes of a file's beginning that are searched for secrets."""
HASHED = 256 * 1024 * 1024
"""Bytes up to which a file is read and hashed; a larger one is judged by its size."""

# What secrets look like. Only the kind and the line are ever recorded, never the text.
_SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key id": re.compile(rb"\bAKIA[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "a password or key in an assignment": re.compile(
        rb"(?i)\b(?:password|passwd|secret|api_?key|access_?token)\b['\"]?\s*[:=]\s*['\"][^'\"\s$<>{}]{8,}['\"]"
    ),
}


class Suspicion(TypedDict):
    """Something that looks like a secret: what, and in which line."""

    kind: str
    line: int


class Seen(TypedDict):
    """What reading one file showed. `sha256` is missing where it is too large, `unreadable` says why it could not be read."""

    path: str
    bytes: int
    sha256: NotRequired[str]
    unreadable: NotRequired[str]
    suspicions: NotRequired[list[Suspicion]]


@dataclass(frozen=True)
class Listing:
    """The files of a folder in a stable order, and what was left out of the list, with the reason."""

    files: list[Path]
    skipped: list[str] = field(default_factory=list[str])
    beyond_limit: int = 0


def listing(root: Path, *, limit: int, leave_out: frozenset[Path] = frozenset()) -> Listing:
    """List the regular files under `root`, at most `limit` of them; links are not followed.

    Folders named in `SKIPPED`, or given in `leave_out`, are not entered. Counting ends at a hundred times the limit.
    """
    files: list[Path] = []
    skipped: list[str] = []
    beyond = 0

    def note(error: OSError) -> None:
        skipped.append(f"{printable(Path(error.filename or '?'))}: {error.strerror}")

    for at, folders, names in os.walk(root, onerror=note):
        here = Path(at)
        left = [name for name in sorted(folders) if name in SKIPPED or (here / name).resolve() in leave_out]
        skipped += [printable((here / name).relative_to(root)) for name in left]
        folders[:] = sorted(set(folders).difference(left))
        for name in sorted(names):
            path = here / name
            if path.is_symlink() or not path.is_file():
                skipped.append(f"{printable(path.relative_to(root))}: no regular file")
            elif len(files) < limit:
                files.append(path)
            else:
                beyond += 1
        if beyond > limit * 100:
            break
    return Listing(files, skipped[:100], beyond)


def look_at(path: Path, name: str) -> Seen:
    """Read a file and tell what it is; a file that cannot be read is told as such, not raised."""
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
    seen: Seen = {"path": name, "bytes": size, "sha256": digest.hexdigest()}
    if suspicions := _suspicions(beginning):
        seen["suspicions"] = suspicions
    return seen


def _suspicions(text: bytes) -> list[Suspicion]:
    if b"\0" in text:  # not text: patterns would match by chance
        return []
    return [
        {"kind": kind, "line": text.count(b"\n", 0, match.start()) + 1}
        for kind, pattern in _SECRETS.items()
        if (match := pattern.search(text))
    ]


def printable(path: Path) -> str:
    """A path as text that can be stored and shown, whatever bytes it is made of."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
