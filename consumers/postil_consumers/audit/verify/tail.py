"""Bytes at a log's end that no manifest entry covers: a write in progress, the rest of a crashed writer, or a forgery."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postil_consumers.audit.log.layout import MANIFEST
from postil_consumers.audit.log.manifest_reader import last_commit

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Tail:
    """The bytes of a file from `begin` to `end`, which was its end when it was read.

    `record` is the number that a record at `begin` would have. It is None in the manifest.
    """

    path: Path
    begin: int
    end: int
    record: int | None = None


def await_covered(directory: Path, tails: Sequence[Tail], wait: float) -> list[Tail]:
    """Wait up to `wait` seconds until a writer has covered the tails. Returns the tails that are still not covered.

    A running writer covers its bytes within milliseconds. A writer that starts cuts off what another one left.
    """
    deadline = time.monotonic() + wait
    open_tails = [tail for tail in tails if not _settled(directory, tail)]
    while open_tails and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        open_tails = [tail for tail in open_tails if not _settled(directory, tail)]
    return open_tails


def _settled(directory: Path, tail: Tail) -> bool:
    """Return whether a manifest entry covers the bytes by now, or they were cut off."""
    size = tail.path.stat().st_size if tail.path.exists() else 0
    if size <= tail.begin:
        return True
    if tail.path.name == MANIFEST:
        with tail.path.open("rb") as file:
            file.seek(tail.begin)
            return file.readline().endswith(b"\n")
    commit = last_commit(directory)
    if commit is None or commit.segment < tail.path.name:
        return False
    return commit.segment > tail.path.name or commit.end >= min(tail.end, size)
