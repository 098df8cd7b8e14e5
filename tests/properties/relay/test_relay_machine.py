"""The relay's state machine against a simulated log and a simulated Kafka that refuse, lose, reorder and crash.

The simulated Kafka behaves as an idempotent producer's: within a partition what is accepted is a prefix of what was sent,
unless a message is refused by itself; a partition that fails takes nothing that was sent before the relay heard of it.
Reports arrive in any order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from postil_relay.commands import (
    Command,
    Cursor,
    Fetch,
    Limits,
    Park,
    Pause,
    Replace,
    Replay,
    Row,
    Save,
    Send,
    Stalled,
    Unpark,
    Verdict,
)
from postil_relay.state_machine import Machine

PARTITIONS = 3
LARGE = 100
LIMITS = Limits(bytes=2000, rows=60, large=LARGE, save_every=0.5, backoff=0.1, pause=1.0)
PAGE = 7


def partition_of(key: bytes) -> int:
    return key[-1] % PARTITIONS


@dataclass
class Message:
    """One message on its way."""

    batch: int
    row: Row
    doomed: bool  # sent to a partition that failed, before the relay had heard of it


@dataclass
class World:
    """The log, Kafka and the cursor table: all that outlives a relay."""

    rows: list[Row] = field(default_factory=list)
    heads: dict[bytes, int] = field(default_factory=dict)
    poison: set[tuple[bytes, int]] = field(default_factory=set)
    topic: dict[bytes, list[int]] = field(default_factory=dict)  # run -> the run_seqs accepted, in order
    saved: Cursor = field(default_factory=lambda: Cursor("0"))
    parked: dict[bytes, int] = field(default_factory=dict)
    unparking: set[bytes] = field(default_factory=set)

    def write(self, run: int, *, large: bool = False, poison: bool = False) -> None:
        key = b"t/%d" % run
        seq = self.heads[key] = self.heads.get(key, 0) + 1
        value = b"x" * (LARGE + 1 if large or poison else 10) + b"%d" % len(self.rows)
        self.rows.append((len(self.rows) + 1, key, seq, value, None))
        if poison:
            self.poison.add((key, seq))

    def accept(self, row: Row) -> None:
        self.topic.setdefault(row[1], []).append(row[2])

    def first_accepted(self, key: bytes) -> list[int]:
        return list(dict.fromkeys(self.topic.get(key, [])))


class Relay:
    """One life of a relay: the machine, its requests, its producer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine = Machine(world.saved, parked=world.parked, limits=LIMITS)
        self.now = 0.0
        self.asked: list[Command] = []  # of the database, which answers in order
        self.wires: list[list[Message]] = [[] for _ in range(PARTITIONS)]  # sent and not yet reported
        self.accepted: list[Message] = []  # accepted, report on its way
        self.refused: list[tuple[Message, Verdict]] = []
        self.tick(0.0)

    def perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Send(batch, rows):
                    for row in rows:
                        partition = partition_of(row[1])
                        self.wires[partition].append(Message(batch, row, self.failing(partition)))
                case Fetch() | Replay() | Save() | Park() | Unpark():
                    self.asked.append(command)
                case Replace():
                    self.wires = [[] for _ in range(PARTITIONS)]
                    self.accepted.clear()
                    self.refused.clear()
                case Pause() | Stalled():
                    pass

    def tick(self, seconds: float = 0.2) -> None:
        self.now += seconds
        self.perform(self.machine.on_tick(self.now))

    def database(self, size: int = PAGE) -> None:
        """The database answers the oldest request."""
        command = self.asked.pop(0)
        match command:
            case Fetch(cursor):
                start = int(cursor.lo)
                rows = self.world.rows[start : start + size]
                self.perform(self.machine.on_rows(rows, Cursor(str(start + len(rows)))))
            case Replay(key, run_seq):
                rows = [row for row in self.world.rows if row[1] == key and row[2] >= run_seq]
                self.perform(self.machine.on_replayed(key, rows[:size], complete=len(rows) <= size))
            case Save(cursor):
                self.world.saved = cursor
                self.check_saved()
                self.perform(self.machine.on_saved(cursor))
            case Park(key, run_seq, _):
                self.world.parked[key] = run_seq
                self.world.unparking.discard(key)
                self.perform(self.machine.on_parked(key))
            case Unpark(key):
                if key in self.world.unparking:
                    del self.world.parked[key]
                    self.world.unparking.discard(key)
            case _:
                raise AssertionError(command)

    def failing(self, partition: int) -> bool:
        unheard = [m for m, why in self.refused if why is not Verdict.REFUSED]
        return any(partition_of(message.row[1]) == partition for message in unheard) or any(
            message.doomed for message in self.wires[partition]
        )

    def kafka(self, partition: int) -> None:
        """The broker takes the next message of a partition, or refuses it for good."""
        message = self.wires[partition].pop(0)
        if message.doomed:
            self.refused.append((message, Verdict.RETRY))
        elif (message.row[1], message.row[2]) in self.world.poison:
            self.refused.append((message, Verdict.REFUSED))
        else:
            self.world.accept(message.row)
            self.accepted.append(message)

    def fail(self, partition: int, verdict: Verdict) -> None:
        """The broker takes nothing of what is under way to a partition."""
        self.refused += [(message, verdict) for message in self.wires[partition]]
        self.wires[partition].clear()

    def report(self, choice: int) -> None:
        """One of the reports under way arrives."""
        if choice % 2 and self.refused:
            message, verdict = self.refused.pop(choice % len(self.refused))
            self.perform(self.machine.on_nack(message.batch, message.row, verdict, "no"))
        elif self.accepted:
            message = self.accepted.pop(choice % len(self.accepted))
            self.perform(self.machine.on_ack(message.batch, 1))

    def unpark(self, key: bytes, *, mended: bool) -> None:
        """An operator asks for it, after the cause was `mended` or not."""
        if mended:
            self.world.poison = {(run, seq) for run, seq in self.world.poison if run != key}
        self.world.unparking.add(key)
        self.perform(self.machine.on_unpark(key, self.world.parked[key]))

    def check_saved(self) -> None:
        for _, key, seq, _, _ in self.world.rows[: int(self.world.saved.lo)]:
            published = seq in self.world.topic.get(key, [])
            assert published or self.world.parked.get(key, seq + 1) <= seq, f"saved past {key!r} {seq}"

    def waits_at_the_end(self) -> bool:
        asked = self.asked[0]
        return isinstance(asked, Fetch) and int(asked.cursor.lo) >= len(self.world.rows)

    def settle(self) -> None:
        """Everything works now: go on until nothing is left to do."""
        for _ in range(3000):
            self.tick()
            for key in sorted(self.world.unparking):
                self.perform(self.machine.on_unpark(key, self.world.parked[key]))
            while len(self.asked) > 1 or (self.asked and not self.waits_at_the_end()):
                self.database()
            for partition in range(PARTITIONS):
                while self.wires[partition]:
                    self.kafka(partition)
            while self.accepted or self.refused:
                self.report(len(self.refused) % 2)
                self.report(1)
            if (
                self.machine.idle
                and not self.world.unparking
                and int(self.machine.acked.lo) >= len(self.world.rows)
            ):
                return
        raise AssertionError("the relay never came to rest")


def check_order(world: World) -> None:
    for key, head in world.heads.items():
        got = world.first_accepted(key)
        assert got == list(range(1, len(got) + 1)), f"{key!r}: {got} of {head}"


def check_complete(world: World) -> None:
    check_order(world)
    for key, head in world.heads.items():
        # Mended after it was refused and before that was written down, a run is parked all the same.
        stop = world.parked.get(key, head + 1)
        assert list(range(1, stop)) == world.first_accepted(key)
        assert stop <= min((seq for run, seq in world.poison if run == key), default=stop)


class RelayMachine(RuleBasedStateMachine):
    """Hypothesis chooses what happens next."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.relay = Relay(self.world)

    @rule(runs=st.lists(st.integers(0, 4), min_size=1, max_size=12))
    def write(self, runs: list[int]) -> None:
        for run in runs:
            self.world.write(run)

    @rule(run=st.integers(0, 4), poison=st.booleans())
    def write_large(self, run: int, poison: bool) -> None:
        self.world.write(run, large=True, poison=poison)

    @rule()
    def tick(self) -> None:
        self.relay.tick()

    @precondition(lambda self: self.relay.asked)
    @rule(size=st.integers(1, PAGE))
    def database_answers(self, size: int) -> None:
        self.relay.database(size)

    @rule(partition=st.integers(0, PARTITIONS - 1), count=st.integers(1, 10))
    def broker_takes(self, partition: int, count: int) -> None:
        for _ in range(min(count, len(self.relay.wires[partition]))):
            self.relay.kafka(partition)

    @rule(partition=st.integers(0, PARTITIONS - 1), verdict=st.sampled_from([Verdict.RETRY, Verdict.TOPIC]))
    def broker_fails(self, partition: int, verdict: Verdict) -> None:
        self.relay.fail(partition, verdict)

    @rule(choices=st.lists(st.integers(0, 1000), min_size=1, max_size=10))
    def reports_arrive(self, choices: list[int]) -> None:
        for choice in choices:
            self.relay.report(choice)

    @rule()
    def producer_dies(self) -> None:
        self.relay.perform(self.relay.machine.on_fatal())

    @rule()
    def relay_dies(self) -> None:
        self.relay = Relay(self.world)

    @precondition(lambda self: self.world.parked)
    @rule(mended=st.booleans())
    def operator_unparks(self, mended: bool) -> None:
        self.relay.unpark(min(self.world.parked), mended=mended)

    @rule()
    def all_is_well_again(self) -> None:
        self.relay.settle()
        check_complete(self.world)

    @invariant()
    def every_run_is_in_order_without_a_gap(self) -> None:
        if hasattr(self, "world"):
            check_order(self.world)

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "relay"):
            batches = self.relay.machine._batches
            assert sum(len(batch.rows) for batch in batches) <= LIMITS.rows + 2 * PAGE


TestRelayMachine = RelayMachine.TestCase
TestRelayMachine.settings = hypothesis_settings(max_examples=150, stateful_step_count=60, deadline=None)


@given(seed=st.integers(0, 2**32))
@hypothesis_settings(max_examples=150, deadline=None)
def test_long_seeded_histories_end_with_every_event_published_in_order(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    relay = Relay(world)
    for _ in range(400):
        match chance.choices(range(10), [6, 1, 4, 8, 12, 12, 1, 0.3, 0.2, 1])[0]:
            case 0:
                for _ in range(chance.randrange(8)):
                    world.write(chance.randrange(5))
            case 1:
                world.write(chance.randrange(5), large=True, poison=chance.random() < 0.2)
            case 2:
                relay.tick(chance.random())
            case 3 if relay.asked:
                relay.database(chance.randint(1, PAGE))
            case 4:
                partition = chance.randrange(PARTITIONS)
                for _ in range(min(chance.randrange(9), len(relay.wires[partition]))):
                    relay.kafka(partition)
            case 5:
                for _ in range(chance.randrange(9)):
                    relay.report(chance.randrange(1000))
            case 6:
                relay.fail(chance.randrange(PARTITIONS), chance.choice([Verdict.RETRY, Verdict.TOPIC]))
            case 7:
                relay.perform(relay.machine.on_fatal())
            case 8:
                relay = Relay(world)
            case 9 if world.parked:
                relay.unpark(chance.choice(sorted(world.parked)), mended=chance.random() < 0.8)
            case _:
                pass
        check_order(world)
    relay.settle()
    check_complete(world)


def _with_rows(*runs: int) -> tuple[World, Relay]:
    world = World()
    for run in runs:
        world.write(run)
    relay = Relay(world)
    relay.database(len(runs))
    return world, relay


def test_the_next_page_is_asked_for_before_this_one_is_sent() -> None:
    world = World()
    world.write(1)
    machine = Machine(Cursor("0"))
    assert machine.on_tick(0.0) == [Fetch(Cursor("0"))]
    assert machine.on_rows(world.rows, Cursor("1")) == [Fetch(Cursor("1")), Send(0, world.rows)]


def test_the_cursor_stays_before_an_unacknowledged_event_whatever_follows_it() -> None:
    machine = Machine(Cursor("0"))
    world = World()
    for run in range(4):
        world.write(run)
    machine.on_rows(world.rows[:2], Cursor("2"))
    machine.on_rows(world.rows[2:], Cursor("4"))
    machine.on_ack(1, 2)
    machine.on_ack(0, 1)
    assert [c for c in machine.on_tick(9.0) if isinstance(c, Save)] == []
    machine.on_ack(0, 1)
    assert [Save(Cursor("4"))] == [c for c in machine.on_tick(9.1) if isinstance(c, Save)]


def test_nothing_moved_nothing_is_saved() -> None:
    machine = Machine(Cursor("0"))
    machine.on_tick(0.0)
    machine.on_rows([], Cursor("9"))
    assert [c for c in machine.on_tick(60.0) if isinstance(c, Save)] == []


def test_fetching_stops_while_memory_is_full_and_goes_on_after() -> None:
    world = World()
    for _ in range(LIMITS.rows):
        world.write(1)
    machine = Machine(Cursor("0"), limits=LIMITS)
    machine.on_tick(0.0)
    assert [c for c in machine.on_rows(world.rows, Cursor("60")) if isinstance(c, Fetch)] == []
    assert [Fetch(Cursor("60"))] == machine.on_ack(0, LIMITS.rows)


def test_a_failed_run_goes_back_and_the_others_go_on() -> None:
    world, relay = _with_rows(1, 2, 1, 2)
    machine = relay.machine
    rows = {(row[1], row[2]): row for row in world.rows}
    machine.on_nack(0, rows[b"t/1", 1], Verdict.RETRY, "no")
    world.write(1)
    world.write(2)
    relay.database(2)
    assert [c for c in machine.on_tick(1.0) if isinstance(c, Send)] == [], (
        "its other event is still in flight"
    )
    machine.on_nack(0, rows[b"t/1", 2], Verdict.RETRY, "no")
    machine.on_ack(0, 2)
    sends = [c for c in machine.on_tick(2.0) if isinstance(c, Send)]
    assert [Send(0, [rows[b"t/1", 1], rows[b"t/1", 2]]), Send(1, [world.rows[4]])] == sends
    assert [message.row for wire in relay.wires for message in wire].count(world.rows[5]) == 1


def test_a_large_event_travels_alone_and_nothing_of_its_run_overtakes_it() -> None:
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
def test_a_refusal_by_the_topic_pauses_everything_and_parks_nothing(verdict: Verdict) -> None:
    world, relay = _with_rows(1, 2)
    commands = relay.machine.on_nack(0, world.rows[0], verdict, "not authorised")
    assert [Pause("not authorised", LIMITS.pause)] * (verdict is Verdict.TOPIC) == commands
    relay.machine.on_nack(0, world.rows[1], verdict, "not authorised")
    for partition in range(PARTITIONS):
        relay.wires[partition].clear()
    relay.settle()
    check_complete(world)


def test_an_unparked_run_is_published_from_where_it_stopped_and_goes_on() -> None:
    world = World()
    world.write(1)
    world.write(1, poison=True)
    world.write(1)
    relay = Relay(world)
    relay.settle()
    assert (world.topic, world.parked) == ({b"t/1": [1]}, {b"t/1": 2})
    relay.unpark(b"t/1", mended=True)
    relay.settle()
    world.write(1)
    relay.settle()
    assert (world.topic, world.parked) == ({b"t/1": [1, 2, 3, 4]}, {})


def test_silence_of_kafka_is_said_aloud_and_ends_with_a_new_producer() -> None:
    _, relay = _with_rows(1)
    machine = relay.machine
    assert [Stalled(20.0, 1)] == [c for c in machine.on_tick(20.0) if isinstance(c, Stalled)]
    assert [c for c in machine.on_tick(21.0) if isinstance(c, Stalled)] == []
    assert [Replace] == [type(c) for c in machine.on_tick(130.0) if isinstance(c, Replace)]


def test_a_drain_waits_for_what_is_in_flight_and_saves_it() -> None:
    _, relay = _with_rows(1, 2)
    machine = relay.machine
    assert machine.on_drain() == []
    assert not machine.drained
    machine.on_ack(0, 2)
    assert [Save(Cursor("2"))] == machine.on_tick(0.1)
    assert not machine.drained
    machine.on_saved(Cursor("2"))
    assert machine.drained


def test_a_lost_lease_forgets_everything_and_saves_nothing() -> None:
    _, relay = _with_rows(1, 2)
    assert [Replace()] == relay.machine.on_lease_lost()
    assert relay.machine.on_tick(99.0) == []
    assert relay.machine.drained
