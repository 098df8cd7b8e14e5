"""Properties of the run_seq rule: each run is applied 1, 2, 3 … once each, whatever Kafka repeats or lacks."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from postil.model.envelope import RawEvent, raw_event
from postil_consumers.runtime.sequencer import Apply, Drop, Fork, Outcome, Sequencer, Unfilled
from postil_consumers.testing import MemoryGaps, MemoryProgress, event_value

RUNS = ("a", "b", "c")


def event(run: str, run_seq: int) -> RawEvent:
    """Return the event of a run with this run_seq."""
    return raw_event(event_value(run, run_seq))


def log_of(lengths: dict[str, int]) -> MemoryGaps:
    """Return the complete event log of runs of these lengths."""
    log = MemoryGaps()
    for run, length in lengths.items():
        for run_seq in range(1, length + 1):
            log.values[f"default/{run}", run_seq] = event_value(run, run_seq)
    return log


lengths = st.fixed_dictionaries({run: st.integers(0, 12) for run in RUNS})


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, int], list[list[RawEvent]]]:
    """Draw the length of each run, and batches of any of their events in any order, with repeats and gaps."""
    run_lengths = draw(lengths)
    events = [event(run, run_seq) for run, length in run_lengths.items() for run_seq in range(1, length + 1)]
    if not events:
        return run_lengths, []
    batches = draw(st.lists(st.lists(st.sampled_from(events), max_size=15), max_size=8))
    # The last event of each run arrives at the end, because the relay publishes each event at least once.
    return run_lengths, [*batches, [event(run, length) for run, length in run_lengths.items() if length]]


def apply_all(outcomes: Iterable[Outcome], progress: MemoryProgress, applied: list[RawEvent]) -> None:
    """Save the progress of each outcome and add the applied events to `applied`."""
    for outcome in outcomes:
        assert isinstance(outcome, (Apply, Drop))
        if isinstance(outcome, Apply):
            applied.append(outcome.event)
            progress.advance(outcome.event.run, outcome.event.run_seq, outcome.event.event_id)


@given(deliveries(), st.sets(st.integers(0, 8)))
def test_any_delivery_applies_every_event_once_and_in_order(
    delivery: tuple[dict[str, int], list[list[RawEvent]]], failing: set[int]
) -> None:
    """Each event is applied once and in order, also when a batch fails before its progress is saved and comes again."""
    run_lengths, batches = delivery
    log, progress, applied = log_of(run_lengths), MemoryProgress(), list[RawEvent]()
    for number, batch in enumerate(batches):
        if number in failing:
            sequencer = Sequencer(progress, log)
            for message in batch:
                list(sequencer.admit(message))
        sequencer = Sequencer(progress, log)
        outcomes = [outcome for message in batch for outcome in sequencer.admit(message)]
        apply_all(outcomes, progress, applied)

    for run, length in run_lengths.items():
        assert [message.run_seq for message in applied if message.run == f"default/{run}"] == list(
            range(1, length + 1)
        )


@given(st.integers(1, 20), st.integers(1, 20))
def test_another_event_with_an_applied_run_seq_is_a_fork(length: int, run_seq: int) -> None:
    """Another event with an applied run_seq is a fork, and the progress of its run does not change."""
    run_seq = min(run_seq, length)
    log, progress = log_of({"a": length}), MemoryProgress()
    apply_all(Sequencer(progress, log).admit(event("a", length)), progress, [])
    original = event("a", run_seq)
    forged = original._replace(event_id="0198aaaa-0000-7000-8000-000000000000")

    assert list(Sequencer(progress, log).admit(forged)) == [Fork(forged, original.event_id)]
    assert progress.last("default/a") == length


@given(st.integers(1, 10), st.integers(2, 10))
def test_an_event_with_missing_predecessors_is_unfilled(length: int, ahead: int) -> None:
    """An event whose predecessors the event log lacks is not applied, and the missing run_seqs are named."""
    log, progress = log_of({"a": length}), MemoryProgress()
    late = event("a", length + ahead)

    *filled, unfilled = Sequencer(progress, log).admit(late)

    assert filled == [Apply(event("a", run_seq)) for run_seq in range(1, length + 1)]
    assert unfilled == Unfilled(late, length + 1, length + ahead - 1)


def test_a_gap_in_the_event_log_stops_the_run() -> None:
    """A run is applied up to a gap in the event log and no further."""
    log, progress = log_of({"a": 5}), MemoryProgress()
    del log.values["default/a", 3]

    outcomes = list(Sequencer(progress, log).admit(event("a", 6)))

    assert outcomes == [Apply(event("a", 1)), Apply(event("a", 2)), Unfilled(event("a", 6), 3, 5)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.integers(1, 2**53))
def test_identify_reads_back_any_run_name(run: str, run_seq: int) -> None:
    """`raw_event` returns the run, the run_seq and the value of an event for any name of its run."""
    value = event_value(run, run_seq)

    assert (
        raw_event(value).run,
        raw_event(value).run_seq,
        raw_event(value).value,
    ) == (f"default/{run}", run_seq, value)
