"""A supervisor in a session of its own, and the pipe on which it tells its starter how it goes."""

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
from postil_stack.state_file import PartRecord, StackRecord

if TYPE_CHECKING:
    from postil_stack.stack import Reporter

REPORT_FD = "POSTIL_REPORT_FD"


class PipeReporter:
    """The supervisor's end: one JSON document per line. That nobody listens any more is no reason to fail."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # the supervisor's children must not hold the pipe open
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def part(self, name: str, seen: PartRecord, seconds: float) -> None:
        """A part's status changed."""
        self._send({"part": name, "seen": asdict(seen), "seconds": seconds})

    def download(self, done: int, total: int) -> None:
        """So many bytes of the one-time download are here."""
        self._send({"done": done, "total": total})

    def ready(self, stack: StackRecord) -> None:
        """Everything is ready: the starter may go."""
        self._send({"ready": asdict(stack)})
        with suppress(OSError):
            self._pipe.close()

    def failed(self, error: PostilError) -> None:
        """It did not come up."""
        self._send({"what": error.what, "advice": error.advice})

    def _send(self, message: dict[str, Any]) -> None:
        if not self._pipe.closed:
            with suppress(OSError):
                self._pipe.write(json.dumps(message, default=str) + "\n")
                self._pipe.flush()


def reporter_of_this_process() -> PipeReporter | None:
    """The pipe to whoever started this process detached, if that is how it was started.

    Raises `EmbeddedError` where what is named as one is none.
    """
    descriptor = os.environ.pop(REPORT_FD, None)
    try:
        return PipeReporter(int(descriptor)) if descriptor else None
    except (OSError, ValueError):
        raise EmbeddedError(
            f"{REPORT_FD} is {descriptor!r}, which is no open descriptor.",
            advice="Unset it: only `postil up --detach` sets it, for the process it starts.",
        ) from None


def start(arguments: Sequence[str], data_dir: Path, report: Reporter) -> None:
    """Start ``postil up ARGUMENTS`` in a session of its own and return once all is ready.

    Raises what the supervisor says went wrong, or `StartFailed` where it ends without a word.
    """
    log = private_directory(data_dir.absolute() / "logs") / "supervisor.log"
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe, open_log(log) as output:
        said_from = output.tell()
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
                if _pass_on(json.loads(line), report):
                    return
        except BaseException:
            supervisor.send_signal(signal.SIGTERM)  # Ctrl-C here means: do not start after all
            raise
        supervisor.wait()
        raise StartFailed(
            f"The supervisor ended before all was ready: {last_line(log, said_from) or 'it said nothing'}",
            advice=f"Its log: {log}",
        )


def _pass_on(message: dict[str, Any], report: Reporter) -> bool:
    """Hand one message to `report`; say whether it was the last."""
    if "part" in message:
        report.part(message["part"], PartRecord(**message["seen"]), message["seconds"])
    elif "done" in message:
        report.download(message["done"], message["total"])
    elif "ready" in message:
        found = message["ready"]
        parts = {name: PartRecord(**part) for name, part in found.pop("processes").items()}
        report.ready(StackRecord(**found, processes=parts))
        return True
    else:
        raise EmbeddedError(message["what"], advice=message["advice"])
    return False
