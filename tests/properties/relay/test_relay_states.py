"""The states and transitions that docs/concepts/relay-states.md names are those of the relay's state machine."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping

import pytest

from draw_relay_states import DIAGRAMS, ENDS, draw, transitions
from drawing import IMAGES
from fixtures.relay_world import Relay, World
from postil_relay.machine.commands import Commands
from postil_relay.machine.reports import DrainRequested, LeaseEnded, ProducerFailed, Report
from postil_relay.machine.run_retry import RetryPhase
from postil_relay.machine.state_machine import Machine

Edge = tuple[str, str]
States = Mapping[Hashable, str]

UNSEEN: dict[str, tuple[type, ...]] = {
    "relay-batch.svg": (LeaseEnded,), "relay-run.svg": (LeaseEnded, ProducerFailed), "relay-machine.svg": (),
}  # fmt: skip
"""Reports that begin everything again: the text of the page describes them, and not its tables."""

PASSED = {"fetched", "sent", "settled", "draining"}
"""States that one report can lead into and out of."""


def states(machine: Machine, runs: set[bytes]) -> dict[str, States]:
    """Return the states that the machine's parts are in, by picture."""
    batches = {
        batch.id: "settled" if batch.settled else "sent" if batch.sent else "fetched"
        for batch in machine._batches
    }
    whole = "draining" if machine._draining else "paused" if machine.paused else "running"
    return {
        "relay-batch.svg": batches,
        "relay-run.svg": {run: run_state(machine, run) for run in runs},
        "relay-machine.svg": {"machine": "end" if machine.drained else whole},
    }


def run_state(machine: Machine, run: bytes) -> str:
    """Return the state of a run. A retry during its replay is part of the replay."""
    if machine._replay.expects(run):
        return "replaying"
    retry = machine._retries._retries.get(run)
    if retry is not None:
        return retry.phase.name.lower()
    return "parked" if run in machine.parked else "normal"


def history(seed: int) -> dict[str, set[Edge]]:
    """Return the transitions of one random history of a relay, by picture."""
    chance = random.Random(seed)
    relay = Relay(World())
    machine = relay.machine
    handle = machine.handle
    edges: dict[str, set[Edge]] = {picture: set() for picture in DIAGRAMS}

    def observed(report: Report) -> Commands:
        runs = set(relay.world.heads)
        before = states(machine, runs)
        commands = handle(report)
        after = states(machine, runs)
        for picture in DIAGRAMS:
            if not isinstance(report, UNSEEN[picture]):
                edges[picture] |= {
                    (before[picture].get(part, "begin"), after[picture].get(part, "end"))
                    for part in before[picture].keys() | after[picture].keys()
                }
        return commands

    machine.handle = observed  # the world calls the machine, and the test observes each call
    for _ in range(300):
        relay.random_event(chance)
    if chance.random() < 0.5:
        relay.settle()
    if chance.random() < 0.7:
        machine.handle(DrainRequested())
    machine.handle(LeaseEnded())
    return edges


def through(edge: Edge, drawn: set[Edge], passed: set[str]) -> set[Edge]:
    """Return the drawn transitions of one step: itself, or those through states that are passed at once."""
    start, end = edge
    if edge not in drawn:
        for state in sorted(passed):
            if (start, state) in drawn:
                return {(start, state)} | through((state, end), drawn, passed - {state})
    return {edge}


@pytest.fixture(scope="module")
def histories() -> dict[str, set[Edge]]:
    """The transitions of many random histories, by picture, without steps that change nothing."""
    seen = [history(seed) for seed in range(200)]
    return {p: {e for edges in seen for e in edges[p] if e[0] != e[1]} for p in DIAGRAMS}


@pytest.mark.parametrize("picture", DIAGRAMS)
def test_the_page_names_each_transition(histories: dict[str, set[Edge]], picture: str) -> None:
    """The machine makes each transition that the page names, and no other."""
    drawn = set(transitions(picture))
    steps = {edge for step in histories[picture] for edge in through(step, drawn, PASSED)}
    # A run whose retry outlives its replay leaves the replay, too.
    leaving = {edge for edge in steps if edge[0] == "replaying" and edge[1] in ("waiting", "resent")}
    assert steps - leaving == drawn - ({("begin", "running")} if picture == "relay-machine.svg" else set())


def test_the_page_names_each_phase_of_a_retry() -> None:
    """The states of a run are those of its retry, its replay, and the states without either."""
    phases = {phase.name.lower() for phase in RetryPhase}
    assert set(DIAGRAMS["relay-run.svg"].states) == phases | {"normal", "parked", "replaying"}


@pytest.mark.parametrize("picture", DIAGRAMS)
def test_each_arrow_is_a_transition_of_the_page(picture: str) -> None:
    """A picture has an arrow for each row of the page's table, and a box for each of its states."""
    diagram = DIAGRAMS[picture]
    assert set(transitions(picture)) == set(diagram.arrows)
    assert {state for edge in diagram.arrows for state in edge} | set(ENDS) == set(diagram.states) | set(ENDS)


@pytest.mark.parametrize("picture", DIAGRAMS)
def test_the_pictures_of_the_states_are_current(picture: str) -> None:
    """The pictures are drawn from the tables: `make docs` writes them."""
    assert (IMAGES / picture).read_text("utf-8") == draw(picture), "run `make docs`"
