"""The whole stack of one data directory: `run` starts it and keeps it running, `down` stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from postil.settings import Settings, load_settings
from postil_stack import state_file
from postil_stack.composition import Reporter, compose
from postil_stack.directory_lock import LOCK_FILE, is_owned, ownership
from postil_stack.errors import EmbeddedError
from postil_stack.leftovers import MARK, end, leftovers, process
from postil_stack.servers.kafka import EmbeddedKafka, train
from postil_stack.servers.postgres import EmbeddedPostgres

STOP_TIMEOUT = 90.0
"""How long `postil down` waits for the supervisor to end, in seconds."""


def run(settings: Settings, *, kafka: str, report: Reporter, demo: Path | None = None) -> None:
    """Start the stack and keep it running until a stop is requested. `kafka` is ``embedded`` or ``memory``.

    `demo` is a folder to review when all is ready, so that the page shows a live run.
    A server that the settings name (``POSTIL_DATABASE_URL``, ``POSTIL_KAFKA_BOOTSTRAP_SERVERS``) is used and not started.
    Raises `EmbeddedError` if the stack cannot be started.
    """
    data_dir = settings.data_dir.absolute()
    with ownership(data_dir):
        end(leftovers(data_dir))  # of a supervisor that was killed
        os.environ[MARK] = str(data_dir.resolve())
        trainees: list[EmbeddedKafka] = []
        try:
            supervisor = compose(settings, data_dir, kafka, report)

            def ready() -> None:
                report.ready(supervisor.stack)
                _train(supervisor.stack.kafka, trainees)
                if demo is not None:
                    review = _review(demo, data_dir)
                    supervisor.before_stop = lambda: _end_review(review)

            supervisor.run(on_ready=ready)
        finally:
            for trainee in trainees:
                trainee.kill()
            state_file.remove(data_dir)


def settings_to_start_with(data_dir: Path | None, **options: Any) -> Settings:
    """Return the settings of a new stack, without the state that a killed stack left.

    That state names servers of the killed stack, which must not be taken for external servers.
    """
    settings = load_settings(data_dir=data_dir, **options)
    if not is_owned(settings.data_dir):
        state_file.remove(settings.data_dir)
        settings = load_settings(data_dir=data_dir, **options)
    return settings


def down(data_dir: Path) -> bool:
    """Stop the stack in `data_dir`, or what a killed supervisor left of it. Returns whether anything was running.

    Raises `EmbeddedError` if it does not stop.
    """
    data_dir = data_dir.absolute()
    if is_owned(data_dir):
        _stop_supervisor(data_dir)
        return True
    if not data_dir.exists():
        return False
    with ownership(data_dir):
        programs = leftovers(data_dir)
        end(programs)
        servers = 0
        if (data_dir / "kafka").exists():
            servers += EmbeddedKafka(data_dir / "kafka").end_leftovers()
        if (data_dir / "postgres").exists():
            servers += EmbeddedPostgres(data_dir / "postgres").end_leftovers()
        state_file.remove(data_dir)
    return bool(programs or servers)


def _stop_supervisor(data_dir: Path) -> None:
    state = state_file.read(data_dir)
    supervisor = process(state.pid, state.created) if state else None
    if supervisor is None:
        raise EmbeddedError(
            f"A process holds {data_dir / LOCK_FILE}, but it is not the supervisor in the state file.",
            advice="It may be starting now: try again in a moment.",
        )
    supervisor.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while is_owned(data_dir):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The stack in {data_dir} has not ended after {STOP_TIMEOUT:.0f} s.",
                advice=f"Its supervisor is process {supervisor.pid}. See the logs in {data_dir / 'logs'}.",
            )
        time.sleep(0.02)


def _review(folder: Path, data_dir: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "postil", "demo", str(folder)]
    return subprocess.Popen(command, env={**os.environ, "POSTIL_DATA_DIR": str(data_dir)})  # noqa: S603 (ours)


def _end_review(review: subprocess.Popen[bytes]) -> None:
    """Let the review cancel its run while the database is still running."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        review.terminate()
        review.wait(5)


def _train(kafka: str, trainees: list[EmbeddedKafka]) -> None:
    """Make the next start faster, in the background."""
    if kafka == "embedded":
        threading.Thread(target=train, args=[trainees.append], daemon=True).start()
