"""Laws of the run_seq rule: whatever Kafka repeats, replays or leaves out, each run is applied 1, 2, 3 … once each."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from postil.model.envelope import RawEvent, identify
from postil_consumers.runtime.sequencer import Apply, Drop, Fork, Outcome, Sequencer, Unfilled
from postil_consumers.testing import MemoryGaps, MemoryProgress, event_value

RUNS = ("a", "b", "c")


def event(run: str, run_seq: int) -> RawEvent:
    return identify(event_value(run, run_seq))


def log_of(lengths: dict[str, int]) -> MemoryGaps:
    """The complete log of runs of these lengths."""
    log = MemoryGaps()
    for run, length in lengths.items():
        for run_seq in range(1, length + 1):
            log.values[f"default/{run}", run_seq] = event_value(run, run_seq)
    return log


lengths = st.fixed_dictionaries({run: st.integers(0, 12) for run in RUNS})


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, int], list[list[RawEvent]]]:
    """The log's lengths, and batches that hold any of its events in any order, with repeats and holes."""
    wanted = draw(lengths)
    everything = [event(run, run_seq) for run, length in wanted.items() for run_seq in range(1, length + 1)]
    if not everything:
        return wanted, []
    batches = draw(st.lists(st.lists(st.sampled_from(everything), max_size=15), max_size=8))
    # In the end the last event of each run arrives, as it does from a relay that publishes at least once.
    return wanted, [*batches, [event(run, length) for run, length in wanted.items() if length]]


def apply_all(outcomes: Iterable[Outcome], progress: MemoryProgress, applied: list[RawEvent]) -> None:
    for outcome in outcomes:
        assert isinstance(outcome, (Apply, Drop))
        if isinstance(outcome, Apply):
            applied.append(outcome.event)
            progress.advance(outcome.event.run, outcome.event.run_seq, outcome.event.event_id)


@given(deliveries(), st.sets(st.integers(0, 8)))
def test_any_delivery_applies_every_event_once_and_in_order(
    delivery: tuple[dict[str, int], list[list[RawEvent]]], failing: set[int]
) -> None:
    """Batches in `failing` fail after the rule was applied and before anything is durable, and come again."""
    wanted, batches = delivery
    log, progress, applied = log_of(wanted), MemoryProgress(), list[RawEvent]()
    for number, batch in enumerate(batches):
        if number in failing:
            sequencer = Sequencer(progress, log)
            for one in batch:
                list(sequencer.admit(one))
        sequencer = Sequencer(progress, log)
        outcomes = [outcome for one in batch for outcome in sequencer.admit(one)]
        apply_all(outcomes, progress, applied)

    for run, length in wanted.items():
        assert [one.run_seq for one in applied if one.run == f"default/{run}"] == list(range(1, length + 1))


@given(st.integers(1, 20), st.integers(1, 20))
def test_another_event_at_an_applied_number_is_a_fork_and_never_applied(length: int, at: int) -> None:
    at = min(at, length)
    log, progress = log_of({"a": length}), MemoryProgress()
    apply_all(Sequencer(progress, log).admit(event("a", length)), progress, [])
    original = event("a", at)
    forged = original._replace(event_id="0198aaaa-0000-7000-8000-000000000000")

    assert list(Sequencer(progress, log).admit(forged)) == [Fork(forged, original.event_id)]
    assert progress.last("default/a") == length


@given(st.integers(1, 10), st.integers(2, 10))
def test_an_event_whose_predecessors_exist_nowhere_is_not_applied(known: int, ahead: int) -> None:
    log, progress = log_of({"a": known}), MemoryProgress()
    late = event("a", known + ahead)

    *filled, last = Sequencer(progress, log).admit(late)

    assert filled == [Apply(event("a", run_seq)) for run_seq in range(1, known + 1)]
    assert last == Unfilled(late, known + 1, known + ahead - 1)


def test_a_hole_in_the_log_itself_stops_the_run_at_the_hole() -> None:
    log, progress = log_of({"a": 5}), MemoryProgress()
    del log.values["default/a", 3]

    outcomes = list(Sequencer(progress, log).admit(event("a", 6)))

    assert outcomes == [Apply(event("a", 1)), Apply(event("a", 2)), Unfilled(event("a", 6), 3, 5)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.integers(1, 2**53))
def test_who_an_event_is_can_be_read_back_whatever_its_run_is_called(run: str, run_seq: int) -> None:
    value = event_value(run, run_seq)

    assert (
        identify(value).run,
        identify(value).run_seq,
        identify(value).value,
    ) == (f"default/{run}", run_seq, value)
