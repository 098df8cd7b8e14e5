"""Logs and readiness of a long-running program."""

from __future__ import annotations

import os
import sys

import structlog

logger = structlog.get_logger("postil.service")


def configure_logs() -> None:
    """Send structured logs to standard error: readable text on a terminal, JSON lines otherwise."""
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
    """Write "ready" to standard output, and to the file descriptor in ``POSTIL_READY_FD`` if a supervisor set it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if descriptor := os.environ.get("POSTIL_READY_FD"):
        try:
            os.write(int(descriptor), b"ready\n")
        except (OSError, ValueError) as error:
            # The supervisor may have ended. The program itself is ready and must continue.
            logger.warning("POSTIL_READY_FD cannot be written to", given=descriptor, why=str(error))
