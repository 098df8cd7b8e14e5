"""Properties of the relay's state machine in a simulated world (tests/fixtures/relay_world.py)."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fixtures.relay_world import LIMITS, PAGE, PARTITIONS, Relay, World, check_complete, check_order
from postil_relay.machine.reports import ProducerFailed
from postil_relay.machine.rows import Verdict


class RelayMachine(RuleBasedStateMachine):
    """A relay in a world in which Hypothesis chooses each event."""

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

    @precondition(lambda self: self.relay.requests)
    @rule(size=st.integers(1, PAGE))
    def database_carries_out(self, size: int) -> None:
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
        self.relay.perform(self.relay.machine.handle(ProducerFailed()))

    @rule()
    def relay_dies(self) -> None:
        self.relay = Relay(self.world)

    @precondition(lambda self: self.world.parked)
    @rule(repaired=st.booleans())
    def operator_unparks(self, repaired: bool) -> None:
        self.relay.unpark(min(self.world.parked), repaired=repaired)

    @rule()
    def everything_works_again(self) -> None:
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
def test_random_histories_end_with_every_event_published(seed: int) -> None:
    """After 400 random events, a relay that is left alone publishes every event, each run in order and without a gap."""
    chance = random.Random(seed)
    world = World()
    relay = Relay(world)
    for _ in range(400):
        if chance.random() < 0.004:
            relay = Relay(world)
        else:
            relay.random_event(chance)
        check_order(world)
    relay.settle()
    check_complete(world)
