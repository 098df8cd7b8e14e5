"""What can be wrong with an input file, each with the file and the position in it.

PostilError
├── InputUnreadable    no such file, a directory, no permission, no format of ours: nothing was read
└── MalformedInput     the rest of the file cannot be read: correct it there, import again
    └── BadCase        one case (or trajectory) is wrong: it is left out whole, the others go in
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from postil.errors import PostilError


def shown(path: Path) -> str:
    """The path as text that can be printed anywhere, whatever bytes the file's name is made of."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class InputUnreadable(PostilError):
    """The file could not be read at all."""

    def __init__(self, path: Path, what: str, *, advice: str) -> None:
        self.path = path
        super().__init__(f"{shown(path)}: {what}", advice=advice)


class MalformedInput(PostilError):
    """The file is broken at `where`; every case before that place was read, and what follows cannot be."""

    exit_code: ClassVar[int] = 1

    def __init__(self, path: Path, where: str, problem: str, *, advice: str) -> None:
        self.path = path
        self.where = where
        self.problem = problem
        super().__init__(f"{shown(path)}, {where}: {problem}", advice=advice)


class BadCase(MalformedInput):
    """One case is wrong; it is left out whole and the import goes on."""


class BadValue(ValueError):
    """A value that is not what its type says; whoever knows the position turns it into a `BadCase`."""
