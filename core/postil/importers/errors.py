"""Errors of input files. Each names the file, and the position in it where there is one.

PostilError
├── InputUnreadable    no such file, a directory, no permission, or an unknown format: nothing was read
└── MalformedInput     the rest of the file cannot be read: correct it there, import again
    └── BadCase        one case (or trajectory) is wrong: it is not imported, the other cases are
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from postil.errors import PostilError


def shown(path: Path) -> str:
    """Return the path as printable text. Bytes of the name that are not UTF-8 are replaced."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class InputUnreadable(PostilError):
    """The file could not be read at all."""

    def __init__(self, path: Path, what: str, *, advice: str) -> None:
        self.path = path
        super().__init__(f"{shown(path)}: {what}", advice=advice)


class MalformedInput(PostilError):
    """The file is broken at `where`. Every case before that position was read; the rest cannot be read."""

    exit_code: ClassVar[int] = 1

    def __init__(self, path: Path, where: str, problem: str, *, advice: str) -> None:
        self.path = path
        self.where = where
        self.problem = problem
        super().__init__(f"{shown(path)}, {where}: {problem}", advice=advice)


class BadCase(MalformedInput):
    """One case is wrong. The case is not imported, and the import continues."""


class BadValue(ValueError):
    """A value that does not match its type. The caller, which knows the position, turns it into a `BadCase`."""
