"""The files of one partition's log: their names, and how their lines are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

MANIFEST = "manifest.ndjson"
INDEX = "index.sqlite"
"""The run index, a cache: the log is complete without it."""

_SEGMENT = re.compile(r"[0-9]{20}\.ndjson")


def log_directory(audit_dir: Path, topic: str, partition: int) -> Path:
    """Return the directory of a partition's log."""
    return audit_dir / f"{topic}-{partition}"


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first record is `first`. Names sort as the records do."""
    return f"{first:020}.ndjson"


def is_segment_name(name: str) -> bool:
    """Return whether a file of this name is a segment."""
    return _SEGMENT.fullmatch(name) is not None


def leaves_name(segment: str) -> str:
    """Return the file name of a segment's leaf hashes."""
    return segment.removesuffix(".ndjson") + ".leaves"


def segment_files(directory: Path) -> list[Path]:
    """Return the segments of a log, in order."""
    return sorted(directory.glob("0*.ndjson"))


def whole_lines(path: Path, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield each line from the byte `begin` on: the byte at which it begins, and the line without its line feed.

    A last line without a line feed is left out: a crash may have torn it.
    """
    with path.open("rb") as file:
        file.seek(begin)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield begin, line[:-1]
            begin += len(line)
