"""The jars of Apache Kafka: pinned by a lock file, downloaded once per user, and checked before every use."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tomllib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from postil_stack.errors import DownloadFailed, EmbeddedError, missing_extra
from postil_stack.servers.private_files import private_directory, refused

LOCK_FILE = "kafka.lock.toml"
# kafka_2.13 is the broker. It logs through slf4j without a backend; slf4j-simple writes its errors to the log.
COORDINATES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
OFFLINE_ADVICE = (
    "Connect this machine to the network once, or use another Kafka (POSTIL_KAFKA_BOOTSTRAP_SERVERS), "
    "or try without one: postil up --kafka memory (its content is lost at the end)."
)

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in total) while the jars are downloaded."""


@dataclass(frozen=True)
class Jar:
    """One jar of the lock file."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The file name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


@cache
def locked() -> tuple[Jar, ...]:
    """Return the jars in the order of the class path."""
    text = files("postil_stack.servers").joinpath(LOCK_FILE).read_text("utf-8")
    return tuple(
        Jar(d["groupId"], d["artifactId"], d["version"], d["size"], d["sha256"])
        for d in tomllib.loads(text)["dependencies"]
    )


@cache
def lock_id() -> str:
    """Return a short digest of the lock, so that another lock uses another directory."""
    return hashlib.sha256("".join(jar.sha256 for jar in locked()).encode()).hexdigest()[:12]


def kafka_version() -> str:
    """Return the broker's version."""
    return next(jar.version for jar in locked() if jar.artifact.startswith("kafka_"))


def cache_directory() -> Path:
    """Return the directory of the jars and the ahead-of-time cache of this user."""
    return user_cache_path("postil") / f"kafka-{kafka_version()}-{lock_id()}"


def class_path(progress: Progress | None = None) -> list[Path]:
    """Return the paths of the jars after checking their hashes. Downloads jars that are missing or changed.

    Raises `DownloadFailed` if a download fails or has another hash, and `MissingExtra` without jgo.
    """
    directory = private_directory(cache_directory())
    invalid = _invalid(directory)
    if invalid:
        with _locked(directory):
            invalid = _invalid(directory)  # another process may have downloaded them in the meantime
            if invalid:
                _download(invalid, directory, progress)
    return [directory / jar.filename for jar in locked()]


def present() -> bool:
    """Whether all jars are present and valid, so that no network is needed."""
    return not _invalid(cache_directory())


def _invalid(directory: Path) -> list[Jar]:
    """Return the jars that are missing or changed. Hashes all 45 MB each time: 60 ms on two cores."""
    with ThreadPoolExecutor(4) as pool:

        def is_valid(jar: Jar) -> bool:
            return _matches(directory / jar.filename, jar)

        validity = list(pool.map(is_valid, locked()))
    return [jar for jar, valid in zip(locked(), validity, strict=True) if not valid]


def _matches(path: Path, jar: Jar) -> bool:
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


@contextmanager
def _locked(directory: Path) -> Generator[None]:
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(missing: list[Jar], directory: Path, progress: Progress | None) -> None:
    """Fetch into a separate directory. A jar is moved to the cache only if its hash is correct."""
    staging = directory / "incoming"
    shutil.rmtree(staging, ignore_errors=True)
    total = sum(jar.size for jar in missing)
    received = 0

    def advance(count: int) -> None:
        nonlocal received
        received += count
        if progress is not None:
            progress(received, total)

    fetch = _fetcher(staging, advance)
    try:
        with ThreadPoolExecutor(6) as pool:
            pending = [(jar, pool.submit(fetch, jar)) for jar in missing]
            for jar, future in pending:
                try:
                    file = future.result()
                except EmbeddedError:
                    pool.shutdown(cancel_futures=True)
                    raise
                if not _matches(file, jar):
                    raise DownloadFailed(
                        f"{jar.filename} is not the pinned file: its SHA-256 differs from that of the lock file.",
                        advice="It was changed between the repository and this machine. " + OFFLINE_ADVICE,
                    )
                file.replace(directory / jar.filename)
    except OSError as error:
        raise refused(directory, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetcher(staging: Path, advance: Callable[[int], None]) -> Callable[[Jar], Path]:
    """Return a function that fetches one jar through jgo. jgo's configuration applies, for example a mirror."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 (only a download needs it)
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 (as above)
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as missing:
        raise missing_extra(missing.name or "jgo") from missing
    from requests import RequestException  # noqa: PLC0415 (as above)

    @contextmanager
    def watched(_filename: str, _size: int) -> Generator[Callable[[int], None]]:
        yield advance

    callback: Callable[[str, int], AbstractContextManager[Callable[[int], None]]] = watched
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(
        resolver=PythonResolver(progress_callback=callback), repo_cache=staging, remote_repos=repositories
    )

    def fetch(jar: Jar) -> Path:
        artifact: Any = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            return Path(artifact.resolve())
        except (RequestException, RuntimeError) as error:
            raise DownloadFailed(
                f"{jar.filename}, a part of Apache Kafka that is downloaded once, cannot be downloaded: {_reason(error)}.",
                advice=OFFLINE_ADVICE,
            ) from error

    return fetch


def _reason(error: Exception) -> str:
    """Return the reason of a failed download in plain words, without the wrapped exceptions of the network library."""
    text = str(error)
    for sign, meaning in (
        ("NameResolutionError", "the repository's name cannot be resolved"),
        ("Connection refused", "the connection was refused"),
        ("timed out", "there was no reply in time"),
        ("CERTIFICATE_VERIFY_FAILED", "the repository's certificate is not trusted here"),
        ("not found in remote repositories", "the repository does not have it"),
        ("ProxyError", "the proxy refuses it"),
    ):
        if sign in text:
            return meaning
    return text.splitlines()[0][:200] if text else type(error).__name__


def write_lock(target: Path) -> None:
    """Resolve `COORDINATES` again and write the lock file. For a new Kafka: ``python -m postil_stack.servers.jars FILE``."""
    import jgo  # noqa: PLC0415 (as above)

    artifacts: dict[tuple[str, str], Any] = {}
    for coordinate in COORDINATES:
        for artifact in jgo.resolve(coordinate):
            artifacts.setdefault((artifact.groupId, artifact.artifactId), artifact)
    lines = [
        "# The jars of the embedded Kafka, in class path order. There are no addresses: jgo's configuration has the repository.",
        "# Made by: python -m postil_stack.servers.jars FILE",
    ]
    for artifact in artifacts.values():
        content = Path(artifact.resolve()).read_bytes()
        lines += [
            "",
            "[[dependencies]]",
            f'groupId = "{artifact.groupId}"',
            f'artifactId = "{artifact.artifactId}"',
            f'version = "{artifact.version}"',
            f"size = {len(content)}",
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        ]
    target.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    import sys

    write_lock(Path(sys.argv[1]))
