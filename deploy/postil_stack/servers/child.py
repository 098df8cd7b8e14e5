"""Child processes: started with their output in a private log, waited for with a deadline, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from postil_stack.errors import StartFailed, start_failure
from postil_stack.servers.private_files import refused
from postil_stack.servers.system_user import SystemUser

LOG_LIMIT = 8 << 20  # bytes
POLL = 0.01  # seconds
FRAME = " \t─│╭╮╰╯"
# Words in the lines in which PostgreSQL, Java and Python report why they stop.
ERROR_WORDS = ("FATAL", "PANIC", "ERROR", "Error", "Exception", "error:")


@dataclass
class Child:
    """A process that the stack started, and its log file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self.process.poll() is None

    def last_error(self) -> str:
        """Return the last line since its start that reports an error, or the last line."""
        return (
            last_line(self.log, self.log_start)
            or f"it ended with status {self.process.poll()} without any output"
        )

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait until `ready` returns True.

        Raises `StartFailed` or a subclass if the process ends first, and after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.alive:
                raise start_failure(self.name, self.last_error(), self.log)
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{self.name} was not ready after {timeout:.0f} s: {self.last_error()}",
                    advice=f"The machine may be overloaded: try again. Its log: {self.log}",
                )
            time.sleep(POLL)

    def end(self, ask: signal.Signals = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Send the signal `ask`, kill the process after `timeout` seconds, and return its exit status."""
        if self.alive:
            self.process.send_signal(ask)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    user: SystemUser | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start `command` in a separate session, so that Ctrl-C at the terminal reaches only its supervisor.

    The process changes to `cwd` before it changes to `user`. That user can then work in a directory that it cannot reach.
    Raises `StartFailed` if the program cannot be started.
    """
    try:
        with open_log(log) as output:
            start = output.tell()
            process = subprocess.Popen(  # noqa: S603 (our own command, no shell)
                [os.fspath(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=None if env is None else dict(env),
                start_new_session=True,
                pass_fds=pass_fds,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
    except OSError as error:
        raise StartFailed(
            f"{name} could not be started: {error.strerror or error} ({error.filename}).",
            advice="Install the package again: pip install --force-reinstall 'postil[all]'",
        ) from error
    return Child(name, process, log, start)


def open_log(log: Path) -> BinaryIO:
    """Open `log` for appending, with mode 0600. A log over 8 MiB is renamed to ``….1`` first."""
    try:
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(log.name + ".1"))
        file = os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        raise refused(log, error) from error
    file.seek(0, os.SEEK_END)
    return file


def last_line(log: Path, start: int = 0) -> str:
    """Return the last line of `log` after byte `start` that reports an error, or the last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - 65536))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for raw in text.splitlines() if (line := raw.strip(FRAME)) and line != "Error"]
    errors = [line for line in lines if any(word in line for word in ERROR_WORDS)]
    return (errors or lines or [""])[-1][:500]
