"""The formats that can be imported. A new format is a module with a `read` function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from postil.importers import traj, xes
from postil.importers.errors import BadCase, InputUnreadable
from postil.importers.histories import Options, Parsed
from postil.importers.source import Source

Reader: TypeAlias = Callable[[Source, str, Options], Iterator[Parsed | BadCase]]
"""Reads a file and yields histories, or an error for each case that is left out. The text is the name of the log."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how its files are recognised by name, and how they are read."""

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    records: str
    """The source's own word for the parts of a run, for reports."""
    log_name: str | None = None
    """The prefix of the run ids. Defaults to the name of the file."""


FORMATS = (
    Format("xes", (".xes", ".xes.gz"), xes.read, "events"),
    Format("traj", (".traj", ".traj.gz"), traj.read, "steps", log_name="traj"),
)

SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
"""The suffixes of file names that can be imported."""


def format_of(path: Path) -> Format:
    """Return the format of a file by the suffix of its name. Raises `InputUnreadable` for an unknown suffix."""
    for known in FORMATS:
        if path.name.lower().endswith(known.suffixes):
            return known
    raise InputUnreadable(
        path, "The file's name has no known suffix.", advice=f"Name it {', '.join(SUFFIXES)}."
    )
