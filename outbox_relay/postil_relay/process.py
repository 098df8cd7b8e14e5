"""The relay as a process: logs, signals, and saying that it is ready."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from postil.settings import Settings, load_settings
from postil_relay.database import connect, translated
from postil_relay.relay import Relay


def run_until_stopped(settings: Settings) -> None:
    """Publish until SIGTERM or SIGINT, then drain."""
    _configure_logs()
    relay = Relay(
        settings.require_database_url(),
        settings.kafka_client(),
        settings.kafka_topic,
        partitions=settings.kafka_partitions,
        on_ready=_announce_ready,
    )
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    # Rows are tens of thousands of tuples without cycles, which the collector would walk over and over.
    gc.set_threshold(100_000, 20, 20)
    # Two threads take turns, and an event's way leads through both.
    sys.setswitchinterval(0.0005)
    relay.run(stop)


@contextmanager
def database() -> Generator[Connection[Any]]:
    """A connection for one command; what the driver raises comes out typed."""
    connection = connect(load_settings().require_database_url())
    try:
        yield connection
    except psycopg.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


def _configure_logs() -> None:
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


def _announce_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if descriptor := os.environ.get("POSTIL_READY_FD"):
        os.write(int(descriptor), b"ready\n")
