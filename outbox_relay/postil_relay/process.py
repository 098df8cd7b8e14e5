"""The relay as a process: it runs until a signal asks it to drain and end."""

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
from postil_relay.relay import Relay


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
