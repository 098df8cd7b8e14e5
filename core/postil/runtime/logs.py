"""What every long-running program of ours does as a process: logs, and saying that it is ready."""

from __future__ import annotations

import os
import sys

import structlog

log = structlog.get_logger("postil.service")


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
        try:
            os.write(int(descriptor), b"ready\n")
        except (OSError, ValueError) as error:  # its reader may have gone: no reason to stop what is ready
            log.warning("POSTIL_READY_FD cannot be written to", given=descriptor, why=str(error))
