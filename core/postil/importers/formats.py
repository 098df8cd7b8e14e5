"""The formats that can be imported. A new one is a module with a `read` and a line here."""

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
"""Turns a file into histories, or into the errors that keep single cases out; the text is the name of the log."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is told by its name, and read."""

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    records: str
    """What the source calls the things a run consists of."""
    log_name: str | None = None
    """What stands before the run ids; None for the file's own name."""


FORMATS = (
    Format("xes", (".xes", ".xes.gz"), xes.read, "events"),
    Format("traj", (".traj", ".traj.gz"), traj.read, "steps", log_name="traj"),
)

SUFFIXES = tuple(suffix for found in FORMATS for suffix in found.suffixes)
"""The endings of the names of files that can be imported."""


def format_of(path: Path) -> Format:
    """The format of a file, by the end of its name. Raises `InputUnreadable` where it is none of ours."""
    for found in FORMATS:
        if path.name.lower().endswith(found.suffixes):
            return found
    raise InputUnreadable(
        path, "The format cannot be told from the file's name.", advice=f"Name it {', '.join(SUFFIXES)}."
    )
