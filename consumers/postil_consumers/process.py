"""What every long-running consumer does as a process: logs, signals, and saying that it is ready."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

import structlog

from postil_consumers.runner import Runner


def configure_logs() -> None:
    """Structured logs to standard error: for people on a terminal, JSON for everything else."""
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def announce_ready() -> None:
    """Tell a supervisor, on standard output and on the descriptor it named in ``POSTIL_READY_FD``."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if descriptor := os.environ.get("POSTIL_READY_FD"):
        os.write(int(descriptor), b"ready\n")


def run_until_stopped(runner: Runner) -> None:
    """Run it until SIGTERM or SIGINT, which lets the batch in hand be finished."""
    configure_logs()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        runner.stop.set()

    # A batch is tens of thousands of small tuples without cycles: by default the collector walks them over and over.
    gc.set_threshold(100_000, 20, 20)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    runner.run(announce_ready)
