"""The jars of Apache Kafka: named and hashed by a lock, downloaded once per user, checked before every use."""

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
# kafka_2.13 is the broker. It logs through slf4j and brings no backend: without one its last words would be lost.
COORDINATES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
OFFLINE_ADVICE = (
    "Connect this machine to the network once, or use another Kafka (POSTIL_KAFKA_BOOTSTRAP_SERVERS), "
    "or try without one: postil up --kafka memory (nothing in it survives)."
)

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all) while the jars are downloaded."""


@dataclass(frozen=True)
class Jar:
    """One locked jar."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


@cache
def locked() -> tuple[Jar, ...]:
    """Every jar on the class path, in its order."""
    text = files("postil_stack.servers").joinpath(LOCK_FILE).read_text("utf-8")
    return tuple(
        Jar(d["groupId"], d["artifactId"], d["version"], d["size"], d["sha256"])
        for d in tomllib.loads(text)["dependencies"]
    )


@cache
def lock_id() -> str:
    """What the jars are, in short: another lock makes another directory."""
    return hashlib.sha256("".join(jar.sha256 for jar in locked()).encode()).hexdigest()[:12]


def kafka_version() -> str:
    """The broker's version."""
    return next(jar.version for jar in locked() if jar.artifact.startswith("kafka_"))


def cache_directory() -> Path:
    """Where the jars and the ahead-of-time cache are kept, for this user alone."""
    return user_cache_path("postil") / f"kafka-{kafka_version()}-{lock_id()}"


def class_path(progress: Progress | None = None) -> list[Path]:
    """Return the jars, every one just found to be what the lock says; download those that are missing.

    Raises `DownloadFailed` where they cannot be had, or are not what they should be, and `MissingExtra` without jgo.
    """
    directory = private_directory(cache_directory())
    wrong = _wrong(directory)
    if wrong:
        with _alone(directory):
            wrong = _wrong(directory)  # another process may have downloaded them meanwhile
            if wrong:
                _download(wrong, directory, progress)
    return [directory / jar.filename for jar in locked()]


def present() -> bool:
    """Whether the jars are here and whole, so that no network is needed."""
    return not _wrong(cache_directory())


def _wrong(directory: Path) -> list[Jar]:
    """Jars that are missing or changed. All 45 MB are hashed each time: 60 ms on two cores."""
    with ThreadPoolExecutor(4) as pool:

        def whole(jar: Jar) -> bool:
            return _matches(directory / jar.filename, jar)

        found = list(pool.map(whole, locked()))
    return [jar for jar, right in zip(locked(), found, strict=True) if not right]


def _matches(path: Path, jar: Jar) -> bool:
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(wanted: list[Jar], directory: Path, progress: Progress | None) -> None:
    """Fetch into a directory aside; a jar enters the cache only once its hash is right."""
    staging = directory / "incoming"
    shutil.rmtree(staging, ignore_errors=True)
    total = sum(jar.size for jar in wanted)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    fetch = _fetcher(staging, advance)
    try:
        with ThreadPoolExecutor(6) as pool:
            pending = [(jar, pool.submit(fetch, jar)) for jar in wanted]
            for jar, arriving in pending:
                try:
                    arrived = arriving.result()
                except EmbeddedError:
                    pool.shutdown(cancel_futures=True)
                    raise
                if not _matches(arrived, jar):
                    raise DownloadFailed(
                        f"{jar.filename} is not what it should be: its SHA-256 differs from the lock's.",
                        advice="Something between here and the repository changed it. " + OFFLINE_ADVICE,
                    )
                arrived.replace(directory / jar.filename)
    except OSError as error:
        raise refused(directory, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetcher(staging: Path, advance: Callable[[int], None]) -> Callable[[Jar], Path]:
    """Return what fetches one jar through jgo, whose configuration (mirrors of one's own included) is honoured."""
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
                f"{jar.filename}, a part of Apache Kafka that is downloaded once, cannot be had: {_reason(error)}.",
                advice=OFFLINE_ADVICE,
            ) from error

    return fetch


def _reason(error: Exception) -> str:
    """What went wrong, without the tower of wrapped exceptions a network library makes of it."""
    text = str(error)
    for sign, meaning in (
        ("NameResolutionError", "the repository's name cannot be resolved"),
        ("Connection refused", "the connection was refused"),
        ("timed out", "no answer in time"),
        ("CERTIFICATE_VERIFY_FAILED", "the repository's certificate is not trusted here"),
        ("not found in remote repositories", "the repository does not have it"),
        ("ProxyError", "the proxy does not let it through"),
    ):
        if sign in text:
            return meaning
    return text.splitlines()[0][:200] if text else type(error).__name__


def write_lock(target: Path) -> None:
    """Resolve `COORDINATES` afresh and write the lock: run ``python -m postil_stack.servers.jars FILE`` for a new Kafka."""
    import jgo  # noqa: PLC0415 (as above)

    found: dict[tuple[str, str], Any] = {}
    for coordinate in COORDINATES:
        for artifact in jgo.resolve(coordinate):
            found.setdefault((artifact.groupId, artifact.artifactId), artifact)
    lines = [
        "# The jars of the embedded Kafka, in class path order. No address: where they are had from is jgo's affair.",
        "# Made by: python -m postil_stack.servers.jars FILE",
    ]
    for artifact in found.values():
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
