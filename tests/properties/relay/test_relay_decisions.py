"""Single decisions of the relay's state machine, each shown by a short history."""

from __future__ import annotations

import pytest

from fixtures.relay_world import LIMITS, PARTITIONS, Relay, World, check_complete, partition_of
from postil_relay.machine.commands import Fetch, Pause, Replace, Save, Send, Stalled
from postil_relay.machine.reports import (
    Acknowledged,
    DrainRequested,
    LeaseEnded,
    Refused,
    RowsFetched,
    Saved,
    Ticked,
)
from postil_relay.machine.rows import Cursor, Verdict
from postil_relay.machine.state_machine import Machine


def _with_rows(*runs: int) -> tuple[World, Relay]:
    world = World()
    for run in runs:
        world.write(run)
    relay = Relay(world)
    relay.database(len(runs))
    return world, relay


def test_the_next_page_is_fetched_before_this_one_is_sent() -> None:
    """The fetch of the next page comes before the send of this one, so that Postgres works meanwhile."""
    world = World()
    world.write(1)
    machine = Machine(Cursor("0"))
    assert machine.handle(Ticked(0.0)) == [Fetch(Cursor("0"))]
    assert machine.handle(RowsFetched(world.rows, Cursor("1"))) == [Fetch(Cursor("1")), Send(0, world.rows)]


def test_the_cursor_never_passes_an_unacknowledged_event() -> None:
    """No cursor behind an unacknowledged event is saved, although later events are acknowledged."""
    machine = Machine(Cursor("0"))
    world = World()
    for run in range(4):
        world.write(run)
    machine.handle(RowsFetched(world.rows[:2], Cursor("2")))
    machine.handle(RowsFetched(world.rows[2:], Cursor("4")))
    machine.handle(Acknowledged(1, 2))
    machine.handle(Acknowledged(0, 1))
    assert [c for c in machine.handle(Ticked(9.0)) if isinstance(c, Save)] == []
    machine.handle(Acknowledged(0, 1))
    assert [c for c in machine.handle(Ticked(9.1)) if isinstance(c, Save)] == [Save(Cursor("4"))]


def test_a_window_without_events_saves_nothing() -> None:
    """A window without events moves the cursor in memory only."""
    machine = Machine(Cursor("0"))
    machine.handle(Ticked(0.0))
    machine.handle(RowsFetched([], Cursor("9")))
    assert [c for c in machine.handle(Ticked(60.0)) if isinstance(c, Save)] == []


def test_fetching_stops_while_memory_is_full() -> None:
    """At the limit of rows nothing is fetched, and the acknowledgement starts the next fetch."""
    world = World()
    for _ in range(LIMITS.rows):
        world.write(1)
    machine = Machine(Cursor("0"), limits=LIMITS)
    machine.handle(Ticked(0.0))
    assert [c for c in machine.handle(RowsFetched(world.rows, Cursor("60"))) if isinstance(c, Fetch)] == []
    assert machine.handle(Acknowledged(0, LIMITS.rows)) == [Fetch(Cursor("60"))]


def test_a_refused_run_goes_back_and_others_continue() -> None:
    """A run is sent again from its refused event once nothing of it is in flight; other runs are sent meanwhile."""
    world, relay = _with_rows(1, 2, 1, 2)
    machine = relay.machine
    rows = {(row[1], row[2]): row for row in world.rows}
    machine.handle(Refused(0, rows[b"t/1", 1], Verdict.RETRY, "no"))
    world.write(1)
    world.write(2)
    relay.database(2)
    assert [c for c in machine.handle(Ticked(1.0)) if isinstance(c, Send)] == [], (
        "its other event is still in flight"
    )
    machine.handle(Refused(0, rows[b"t/1", 2], Verdict.RETRY, "no"))
    machine.handle(Acknowledged(0, 2))
    sends = [c for c in machine.handle(Ticked(2.0)) if isinstance(c, Send)]
    assert sends == [Send(0, [rows[b"t/1", 1], rows[b"t/1", 2]]), Send(1, [world.rows[4]])]
    assert [message.row for wire in relay.wires for message in wire].count(world.rows[5]) == 1


def test_a_large_event_is_sent_alone() -> None:
    """While a large event is in flight nothing else is, and the events behind it follow only after it."""
    world = World()
    world.write(1)
    world.write(1, large=True)
    world.write(1)
    relay = Relay(world)
    relay.database()
    sent = [[m.row[2] for wire in relay.wires for m in wire]]
    relay.kafka(partition_of(b"t/1"))
    relay.report(0)
    for _ in range(2):
        relay.tick()
        sent.append([m.row[2] for wire in relay.wires for m in wire])
        relay.kafka(partition_of(b"t/1"))
        relay.report(0)
    assert sent == [[1], [2], [3]]


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.TOPIC])
def test_a_refusal_by_the_topic_parks_nothing(verdict: Verdict) -> None:
    """A refusal that concerns the topic pauses the relay; one that a retry cures does not; neither parks a run."""
    world, relay = _with_rows(1, 2)
    commands = relay.machine.handle(Refused(0, world.rows[0], verdict, "not authorised"))
    assert commands == [Pause("not authorised", LIMITS.pause)] * (verdict is Verdict.TOPIC)
    relay.machine.handle(Refused(0, world.rows[1], verdict, "not authorised"))
    for partition in range(PARTITIONS):
        relay.wires[partition].clear()
    relay.settle()
    check_complete(world)


def test_an_unparked_run_is_published_from_where_it_stopped() -> None:
    """An unparked run is published from its parked event on, and later events follow."""
    world = World()
    world.write(1)
    world.write(1, poison=True)
    world.write(1)
    relay = Relay(world)
    relay.settle()
    assert (world.topic, world.parked) == ({b"t/1": [1]}, {b"t/1": 2})
    relay.unpark(b"t/1", repaired=True)
    relay.settle()
    world.write(1)
    relay.settle()
    assert (world.topic, world.parked) == ({b"t/1": [1, 2, 3, 4]}, {})


def test_a_silent_kafka_is_logged_then_gets_a_new_producer() -> None:
    """A silent Kafka is logged once an interval, and after two minutes the producer is replaced."""
    _, relay = _with_rows(1)
    machine = relay.machine
    assert [c for c in machine.handle(Ticked(20.0)) if isinstance(c, Stalled)] == [Stalled(20.0, 1)]
    assert [c for c in machine.handle(Ticked(21.0)) if isinstance(c, Stalled)] == []
    assert [type(c) for c in machine.handle(Ticked(130.0)) if isinstance(c, Replace)] == [Replace]


def test_a_drain_waits_for_messages_in_flight() -> None:
    """A drain ends only when the messages in flight are acknowledged and the cursor is saved."""
    _, relay = _with_rows(1, 2)
    machine = relay.machine
    assert machine.handle(DrainRequested()) == []
    assert not machine.drained
    machine.handle(Acknowledged(0, 2))
    assert machine.handle(Ticked(0.1)) == [Save(Cursor("2"))]
    assert not machine.drained
    machine.handle(Saved(Cursor("2")))
    assert machine.drained


def test_a_lost_lease_saves_nothing() -> None:
    """After the lease is lost nothing is sent, fetched or saved."""
    _, relay = _with_rows(1, 2)
    assert relay.machine.handle(LeaseEnded()) == [Replace()]
    assert relay.machine.handle(Ticked(99.0)) == []
    assert relay.machine.drained
