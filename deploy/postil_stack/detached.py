"""A supervisor in a separate session, and the pipe on which it reports to the process that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postil.errors import PostilError
from postil_stack.errors import EmbeddedError, StartFailed
from postil_stack.servers.child import last_line, open_log
from postil_stack.servers.private_files import private_directory
from postil_stack.state_file import ComponentState, StackState, stack_state

if TYPE_CHECKING:
    from postil_stack.composition import Reporter

REPORT_FD = "POSTIL_REPORT_FD"


class PipeReporter:
    """The supervisor's end of the pipe: one JSON document per line. Errors are ignored once the reader has closed it."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # the supervisor's children must not hold the pipe open
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def component(self, name: str, state: ComponentState, seconds: float) -> None:
        """Report that the status of a component changed."""
        self._send({"component": name, "state": asdict(state), "seconds": seconds})

    def download(self, done: int, total: int) -> None:
        """Report how many bytes of the one-time download have arrived."""
        self._send({"done": done, "total": total})

    def ready(self, stack: StackState) -> None:
        """Report that everything is ready, and close the pipe."""
        self._send({"ready": asdict(stack)})
        with suppress(OSError):
            self._pipe.close()

    def failed(self, error: PostilError) -> None:
        """Report that the start failed."""
        self._send({"what": error.what, "advice": error.advice})

    def _send(self, message: dict[str, Any]) -> None:
        if not self._pipe.closed:
            with suppress(OSError):
                self._pipe.write(json.dumps(message, default=str) + "\n")
                self._pipe.flush()


def reporter_of_this_process() -> PipeReporter | None:
    """Return the pipe to the process that started this one detached, or None.

    Raises `EmbeddedError` if the environment names a descriptor that is not open.
    """
    descriptor = os.environ.pop(REPORT_FD, None)
    try:
        return PipeReporter(int(descriptor)) if descriptor else None
    except (OSError, ValueError):
        raise EmbeddedError(
            f"{REPORT_FD} is {descriptor!r}, which is not an open descriptor.",
            advice="Unset it: only `postil up --detach` sets it, for the process it starts.",
        ) from None


def start(arguments: Sequence[str], data_dir: Path, report: Reporter) -> None:
    """Start ``postil up ARGUMENTS`` in a separate session and return when all is ready.

    Raises the error that the supervisor reports, or `StartFailed` if it ends without a report.
    """
    log = private_directory(data_dir.absolute() / "logs") / "supervisor.log"
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe, open_log(log) as output:
        log_start = output.tell()
        supervisor = subprocess.Popen(  # noqa: S603 (our own command, no shell)
            [sys.executable, "-P", "-m", "postil", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, REPORT_FD: str(writing)},
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        try:
            for line in pipe:
                if _forward(json.loads(line), report):
                    return
        except BaseException:
            supervisor.send_signal(signal.SIGTERM)  # after Ctrl-C the stack must not start
            raise
        supervisor.wait()
        raise StartFailed(
            f"The supervisor ended before all was ready: {last_line(log, log_start) or 'it wrote nothing'}",
            advice=f"Its log: {log}",
        )


def _forward(message: dict[str, Any], report: Reporter) -> bool:
    """Forward one message to `report`. Returns whether it was the last."""
    if "component" in message:
        report.component(message["component"], ComponentState(**message["state"]), message["seconds"])
    elif "done" in message:
        report.download(message["done"], message["total"])
    elif "ready" in message:
        report.ready(stack_state(message["ready"]))
        return True
    else:
        raise EmbeddedError(message["what"], advice=message["advice"])
    return False
