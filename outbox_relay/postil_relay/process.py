"""The relay as a process, which runs until a signal asks it to drain and end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from postil.runtime.logs import announce_ready, configure_logs
from postil.runtime.signals import collect_garbage_rarely, on_stop_signal
from postil.settings import Settings, load_settings
from postil_relay.database_thread import connect, translated
from postil_relay.worker import Relay


def run_until_stopped(settings: Settings) -> None:
    """Publish until SIGTERM or SIGINT, then drain."""
    configure_logs()
    relay = Relay(
        settings.require_database_url(),
        settings.kafka_client(),
        settings.kafka_topic,
        partitions=settings.kafka_partitions,
        on_ready=announce_ready,
    )
    stop = threading.Event()

    on_stop_signal(stop.set)
    collect_garbage_rarely()
    # Each event passes through two threads. A short interval lets them take turns sooner.
    sys.setswitchinterval(0.0005)
    relay.run(stop)


@contextmanager
def database() -> Generator[Connection[Any]]:
    """Open a connection for one command. Errors of the driver are raised as typed errors."""
    connection = connect(load_settings().require_database_url())
    try:
        yield connection
    except psycopg.Error as error:
        raise translated(error) from error
    finally:
        connection.close()
