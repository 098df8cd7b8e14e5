"""The rules of the port `GapSource`, for every implementation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from postil.model.envelope import raw_event
from postil_consumers.runtime import postgres_gaps
from postil_consumers.runtime.postgres_gaps import PostgresGaps
from postil_consumers.runtime.sequencer import GapSource
from postil_consumers.testing import MemoryGaps, event_value

WHEN = "2026-01-02T03:04:05Z"


@dataclass
class EventLog:
    """A gap source, and the `values` of the only run that its event log has: ``default/a``."""

    gaps: GapSource
    values: list[bytes]

    def numbers(self, run: str, first: int, last: int) -> list[int]:
        """Return the run_seq of each event that the gap source returns."""
        return [raw_event(value).run_seq for value in self.gaps.events(run, first, last)]


@pytest.fixture(params=["memory", "postgres"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLog]:
    if request.param == "memory":
        memory = MemoryGaps()
        values = [event_value("a", number) for number in range(1, 8)]
        memory.values |= {("default/a", number): value for number, value in enumerate(values, 1)}
        yield EventLog(memory, values)
        return
    monkeypatch.setattr(postgres_gaps, "_PAGE", 2)  # so that these few events fill several pages
    url: str = request.getfixturevalue("database_url")
    gaps = PostgresGaps(url)
    yield EventLog(gaps, write_run(url))
    gaps.close()


def write_run(url: str) -> list[bytes]:
    """Write the run ``a`` to Postgres and return the values of its events."""
    annotation = {"type": "annotation:created", "at": WHEN, "value": 1, "scope": "run"}
    history = {
        "run_id": "a", "name": "n", "status": "completed", "trigger": {"source": "api", "action": "trigger"},
        "recorded_at": WHEN, "started_at": WHEN, "ended_at": WHEN,
        "steps": [annotation | {"key": f"note.n{number}"} for number in range(5)],
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select count(*) from postil.record_runs('default', %s::jsonb)", [json.dumps([history])]
        )
        rows = connection.execute(
            "select postil.envelope(e) from postil.event e order by e.run_seq"
        ).fetchall()
    return [value.encode() for (value,) in rows]


def test_a_range_returns_its_exact_values_in_order(log: EventLog) -> None:
    """The values have the bytes of the event log, ordered by run_seq; `first` and `last` are included."""
    assert len(log.values) == 7
    assert list(log.gaps.events("default/a", 2, 6)) == log.values[1:6]


def test_a_whole_run_is_returned(log: EventLog) -> None:
    """A range over the whole run returns every event once, also if it takes several pages."""
    assert log.numbers("default/a", 1, 7) == [1, 2, 3, 4, 5, 6, 7]


def test_one_event_can_be_read(log: EventLog) -> None:
    """A range with `first` equal to `last` returns one event."""
    assert log.numbers("default/a", 4, 4) == [4]


def test_missing_events_are_left_out(log: EventLog) -> None:
    """A range beyond the end of the run returns only the events that exist."""
    assert log.numbers("default/a", 6, 20) == [6, 7]
    assert log.numbers("default/a", 8, 20) == []


@pytest.mark.parametrize("run", ["default/b", "other/a", "default/a\0"])
def test_an_unknown_run_has_no_events(log: EventLog, run: str) -> None:
    """Another run, another tenant, and a run id that Postgres cannot store return nothing."""
    assert log.numbers(run, 1, 7) == []


def test_events_can_be_read_again(log: EventLog) -> None:
    """A second read of the same range returns the same values."""
    assert list(log.gaps.events("default/a", 1, 3)) == list(log.gaps.events("default/a", 1, 3))
