"""Carries a topic into a sink: batches, the run_seq rule, retries, and partitions that come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

import structlog
from tenacity import RetryCallState, Retrying, wait_exponential, wait_random
from tenacity.wait import wait_base

from postil.errors import ConfigurationError, PostilError
from postil.model.envelope import InvalidEnvelope, identify
from postil.runtime.failpoints import reach
from postil_consumers.errors import Transient
from postil_consumers.runtime.health import Health
from postil_consumers.runtime.sequencer import Apply, Drop, Fork, GapSource, Sequencer, Unfilled
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Record, Sink
from postil_consumers.runtime.source import Message, Source

log = structlog.get_logger("postil.runner")

TRANSIENT = wait_exponential(multiplier=0.1, max=15) + wait_random(0, 0.5)
"""Something that goes away by itself is tried again for ever, soon at first."""

NOT_THERE_YET = wait_exponential(multiplier=0.05, max=1) + wait_random(0, 0.1)
"""Kafka or the topic at the start, when everything else is starting too."""

NEEDS_A_PERSON = wait_exponential(multiplier=5, max=60) + wait_random(0, 5)
"""Something that does not: tried now and then, so that the repair needs no restart."""

_POLL_SECONDS = 0.25
# A gap may be a run's whole history: it is delivered in parts, so that no batch grows with it.
_ITEMS = 20_000


class Runner:
    """One sink's loop, in the thread that calls `run`.

    A partition is open or waiting. Whatever fails for it closes it, and after a pause it is opened again
    and read from where the sink says: one path for a full disk, a lost database, and the first start.
    The others go on meanwhile. Messages are fetched only between deliveries, so a slow sink leaves them in Kafka.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        gaps: GapSource,
        *,
        report: Callable[[Health], object] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> None:
        """`report` is called with the health about once per round; setting `stop` ends `run` after the batch in hand."""
        self.health = Health(sink.name)
        self.stop = stop or threading.Event()
        self._source, self._sink, self._gaps, self._report = source, sink, gaps, report
        # Ours and not open: when to try (again), on the monotonic clock.
        self._waiting: dict[Partition, float] = {}
        # Failures since the last delivery.
        self._failures: dict[Partition, int] = {}
        self._next: dict[Partition, int] = {}
        self._assigned_once = False

    def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Run until stopped; `ready` is called once, when the first partitions were opened.

        Raises what a person must change (`ConfigurationError`), after letting go of everything.
        """
        try:
            self._join()
            told = False
            while not self.stop.is_set():
                self._open_due()
                if self._assigned_once and not told and all(p in self._failures for p in self._waiting):
                    told = True
                    ready()
                self._deliver_all(self._source.poll(_POLL_SECONDS))
                self._show()
        except PostilError as error:
            self.health.troubled("red", error.what, error.advice)
            self._report(self.health)
            raise
        finally:
            self._source.commit(self._next, wait=True)
            for partition in [*self._next, *self._waiting]:
                self._sink.close(partition)
            self._source.close()

    def _join(self) -> None:
        attempt = 0
        while not self.stop.is_set():
            try:
                self._source.start(self._on_assigned, self._on_revoked)
            except Transient as error:
                if not attempt:
                    log.warning("waiting", sink=self._sink.name, what=error.what)
                attempt += 1
                self.health.troubled("yellow", error.what, error.advice)
                self._report(self.health)
                self.stop.wait(pause_before(attempt, NOT_THERE_YET))
            else:
                return

    def _on_assigned(self, partitions: Sequence[Partition]) -> None:
        self._assigned_once = True
        self._waiting |= dict.fromkeys(partitions, 0.0)

    def _on_revoked(self, partitions: Sequence[Partition]) -> None:
        self._source.commit({p: self._next[p] for p in partitions if p in self._next}, wait=True)
        for partition in partitions:
            for known in (self._waiting, self._failures, self._next):
                known.pop(partition, None)
            self.health.lag.pop(str(partition), None)
            self._sink.close(partition)

    def _open_due(self) -> None:
        for partition, due in list(self._waiting.items()):
            if due > time.monotonic() or self.stop.is_set():
                continue
            try:
                at = self._sink.open(partition)
                self._source.resume(partition, at)
            except PostilError as error:
                self._wait(partition, error)
                continue
            del self._waiting[partition]
            if isinstance(at, int):
                self._next[partition] = at
            log.info("reading", sink=self._sink.name, partition=str(partition), at=str(at))

    def _wait(self, partition: Partition, error: PostilError) -> None:
        """Close the partition and try it again later. Raises the error on if only a person can help."""
        if isinstance(error, ConfigurationError):
            raise error
        self._source.pause(partition)
        self._sink.close(partition)
        self._next.pop(partition, None)
        passing = isinstance(error, Transient)
        self._failures[partition] = self._failures.get(partition, 0) + 1
        seconds = pause_before(self._failures[partition], TRANSIENT if passing else NEEDS_A_PERSON)
        self._waiting[partition] = time.monotonic() + seconds
        self.health.retries += 1
        self.health.troubled("yellow" if passing else "red", error.what, error.advice)
        log.log(
            30 if passing else 40,
            "trying again" if passing else "needs a person",
            sink=self._sink.name,
            partition=str(partition),
            what=error.what,
            advice=error.advice,
            seconds=round(seconds, 1),
        )

    def _deliver_all(self, messages: Sequence[Message]) -> None:
        done: dict[Partition, int] = {}
        for partition, batch in groupby(sorted(messages, key=_by_partition), key=_partition):
            if partition not in self._waiting:
                try:
                    done[partition] = self._deliver(partition, list(batch))
                except PostilError as error:
                    self._wait(partition, error)
                else:
                    self._failures.pop(partition, None)
        self._next |= done
        self._source.commit(done)
        if done:
            reach("runner.offsets_committed")

    def _deliver(self, partition: Partition, batch: Sequence[Message]) -> int:
        """Deliver the batch; answer the offset after it."""
        sequencer = Sequencer(self._sink.progress(partition), self._gaps)
        items: list[Item] = []
        for message in batch:
            _, offset, key, value = message
            try:
                outcomes = sequencer.admit(identify(value or b"", key or b""))
            except InvalidEnvelope as error:
                items.append(self._dead(message, error.what))
                continue
            for outcome in outcomes:
                if isinstance(outcome, Apply):
                    items.append(Record(offset, outcome.event))
                elif isinstance(outcome, Drop):
                    self.health.duplicates += 1
                else:
                    self.health.forks += isinstance(outcome, Fork)
                    items.append(self._dead(message, reason_of(outcome)))
                if len(items) >= _ITEMS:
                    self._hand_over(partition, items, offset)
                    items = []
        after = batch[-1].offset + 1
        self._hand_over(partition, items, after)
        return after

    def _hand_over(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        self._sink.deliver(partition, items, next_offset)
        dead = sum(isinstance(item, DeadLetter) for item in items)
        self.health.dead_letters += dead
        self.health.applied += len(items) - dead
        self.health.delivered()

    def _dead(self, message: Message, reason: str) -> DeadLetter:
        place = {"partition": str(message.partition), "offset": message.offset}
        log.error("dead letter", sink=self._sink.name, **place, reason=reason)
        return DeadLetter(message.offset, reason, message.key, message.value)

    def _show(self) -> None:
        if self._assigned_once and not self._failures and not self._waiting and self.health.state != "green":
            self.health.works()
        self.health.lag = {str(p): self._source.lag(p, offset) for p, offset in self._next.items()}
        self._report(self.health)


def reason_of(outcome: Fork | Unfilled) -> str:
    """Why the event cannot be applied, for people."""
    event = outcome.event
    if isinstance(outcome, Fork):
        return (
            f"fork: run_seq {event.run_seq} of {event.run} is event {outcome.applied}; "
            f"this is {event.event_id}, which claims the same place"
        )
    return (
        f"gap: run_seq {event.run_seq} of {event.run} came, "
        f"{outcome.first} to {outcome.last} are neither in Kafka nor in Postgres"
    )


def pause_before(attempt: int, policy: wait_base) -> float:
    """Seconds to wait before an attempt, the first retry being 1."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return policy(state)


_partition = attrgetter("partition")
_by_partition = attrgetter("partition.number")
