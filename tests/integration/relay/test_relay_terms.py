"""What ends a term of the relay, and how it begins the next one."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from postil.errors import PostilError, SchemaOutdated, Unavailable, WriteRefused
from postil.settings import Settings
from postil_relay.database_thread import DatabaseThread, translated
from postil_relay.machine.reports import Report
from postil_relay.window_reader import WindowReader
from postil_relay.worker import Relay


class StopAfter(threading.Event):
    """A stop event that is set at the given wait, and does not wait."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits, self.limit = 0, waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        if self.waits == self.limit:
            self.set()
        return self.is_set()


def test_the_relay_pauses_after_each_failed_term(settings: Settings) -> None:
    """If each term fails at once, the relay pauses before the next: it must not load a server that is in trouble."""
    url = settings.require_database_url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter table postil.event rename to event_gone")
        stop = StopAfter(5)
        Relay(url, settings.kafka_client(), settings.kafka_topic).run(stop)
        row = connection.execute("select max(epoch) from postil.relay_lane").fetchone()
    assert row is not None
    assert (row[0], stop.waits) == (5, 5), "one term for each pause"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("select * from postil.not_there", SchemaOutdated),
        ("select pg_terminate_backend(pg_backend_pid())", Unavailable),
        ("begin read only; create table postil.t (n integer)", Unavailable),
        ("set role pg_monitor; create table postil.t (n integer)", WriteRefused),
    ],
    ids=["no schema", "lost connection", "read-only server", "missing right"],
)
def test_a_permanent_failure_is_not_shown_as_an_outage(
    database_url: str, statement: str, kind: type[PostilError]
) -> None:
    """Each failure of Postgres has its class and its advice, in the relay as in the write functions."""
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(psycopg.Error) as caught,
    ):
        connection.execute(statement)
    error = translated(caught.value)
    assert type(error) is kind
    assert error.advice


def test_any_error_of_the_database_thread_is_reported(database_url: str) -> None:
    """An unexpected error reaches the leader, which raises it, and does not end the thread without a report."""
    reports: list[Report | Exception] = []
    has_report = threading.Event()

    def inbox(report: Report | Exception) -> None:
        reports.append(report)
        has_report.set()

    def execute(_request: Any) -> list[Report]:
        raise LookupError("a mistake in the program")

    with psycopg.connect(database_url, autocommit=True) as connection:
        thread = DatabaseThread[Any](connection, WindowReader(connection), execute, inbox)
        thread.start()
        thread.ask("a request")
        assert has_report.wait(30)
        thread.close()
    assert [type(report) for report in reports] == [LookupError]
