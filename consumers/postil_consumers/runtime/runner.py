"""Delivers a topic to a sink: in batches, by the run_seq rule, with retries, while partitions come and go."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import structlog
from tenacity import RetryCallState

from postil.errors import ConfigurationError, PostilError, Unavailable
from postil.model.envelope import InvalidEnvelope, raw_event
from postil.runtime.failpoints import reach
from postil.runtime.retry import until_stopped
from postil_consumers.runtime.health import Health
from postil_consumers.runtime.retries import NEEDS_OPERATOR, TRANSIENT, PartitionRetries
from postil_consumers.runtime.sequencer import Drop, Fork, GapSource, Outcome, Sequencer, Unfilled
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Record, Sink
from postil_consumers.runtime.source import Message, Source

logger = structlog.get_logger("postil.runner")

_POLL_SECONDS = 0.25
_LONGEST_JOIN_PAUSE = 1.0
"""Seconds between two attempts to join. It is short because Kafka and the relay often start at the same time."""

_MAX_ITEMS = 20_000
"""Items of one delivery. A gap may be the whole history of a run, and would otherwise make a batch as large."""


class Runner:
    """The loop of one sink, in the thread that calls `run`.

    A partition is open or waiting. An error closes its partition. After a pause the runner opens it again and
    reads from the offset that the sink returns. This handles a full disk, a lost database and the first start alike.
    The other partitions continue meanwhile. The runner fetches messages only between deliveries,
    so the messages for a slow sink stay in Kafka.
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
        """`report` receives the health after every round. Setting `stop` ends `run` after the current batch."""
        self.health = Health(sink.name)
        self.stop = stop or threading.Event()
        self._source, self._sink, self._gaps, self._report = source, sink, gaps, report
        self._retries = PartitionRetries()
        self._next: dict[Partition, int] = {}  # the next offset of each open partition
        self._assigned_once = False

    def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Run until `stop` is set. Calls `ready` once, when every partition of the first assignment was attempted.

        Raises errors that an operator must repair (`ConfigurationError`), after all partitions are closed.
        """
        try:
            self._join()
            is_ready = False
            while not self.stop.is_set():
                self._open_due()
                if not is_ready and self._assigned_once and self._retries.are_all_attempted:
                    is_ready = True
                    self._update_health()
                    ready()
                self._deliver_all(self._source.poll(_POLL_SECONDS))
                self._update_health()
        except PostilError as error:
            self.health.mark_trouble("red", error.what, error.advice)
            self._report(self.health)
            raise
        finally:
            self._source.commit(self._next, wait=True)
            for partition in [*self._next, *self._retries.waiting]:
                self._sink.close(partition)
            self._source.close()

    def _join(self) -> None:
        """Join the group. Retries until the source can start or `stop` is set."""

        def start() -> None:
            if not self.stop.is_set():
                self._source.start(self._on_assigned, self._on_revoked)

        policy = until_stopped(
            self.stop, longest_pause=_LONGEST_JOIN_PAUSE, before_pause=self._report_join_failure
        )
        with contextlib.suppress(Unavailable):  # the policy raises it only after `stop` was set
            policy(start)

    def _report_join_failure(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        assert isinstance(error, Unavailable)  # the policy retries on no other error
        if state.attempt_number == 1:
            logger.warning("waiting", sink=self._sink.name, what=error.what)
        self.health.mark_trouble("yellow", error.what, error.advice)
        self._report(self.health)

    def _on_assigned(self, partitions: Sequence[Partition]) -> None:
        self._assigned_once = True
        self._retries.add(partitions)

    def _on_revoked(self, partitions: Sequence[Partition]) -> None:
        self._source.commit({p: self._next[p] for p in partitions if p in self._next}, wait=True)
        for partition in partitions:
            self._retries.remove(partition)
            self._next.pop(partition, None)
            self.health.lag.pop(str(partition), None)
            self._sink.close(partition)

    def _open_due(self) -> None:
        for partition in self._retries.due(time.monotonic()):
            if self.stop.is_set():
                return
            try:
                at = self._sink.open(partition)
                self._source.resume(partition, at)
            except PostilError as error:
                self._close_until_retry(partition, error)
                continue
            self._retries.mark_open(partition)
            if isinstance(at, int):
                self._next[partition] = at
            logger.info("reading", sink=self._sink.name, partition=str(partition), at=str(at))

    def _close_until_retry(self, partition: Partition, error: PostilError) -> None:
        """Close the partition and plan the next attempt. Raises a `ConfigurationError` again: a retry cannot help."""
        if isinstance(error, ConfigurationError):
            raise error
        self._source.pause(partition)
        self._sink.close(partition)
        self._next.pop(partition, None)
        is_transient = isinstance(error, Unavailable)
        seconds = self._retries.mark_failed(
            partition, TRANSIENT if is_transient else NEEDS_OPERATOR, time.monotonic()
        )
        self.health.retries += 1
        self.health.mark_trouble("yellow" if is_transient else "red", error.what, error.advice)
        write_log = logger.warning if is_transient else logger.error
        write_log(
            "trying again" if is_transient else "needs an operator",
            sink=self._sink.name,
            partition=str(partition),
            what=error.what,
            advice=error.advice,
            seconds=round(seconds, 1),
        )

    def _deliver_all(self, messages: Sequence[Message]) -> None:
        offsets: dict[Partition, int] = {}
        waiting = set(self._retries.waiting)
        for partition, batch in groupby(sorted(messages, key=_by_partition), key=_partition):
            if partition not in waiting:
                try:
                    offsets[partition] = self._deliver(partition, list(batch))
                except PostilError as error:
                    self._close_until_retry(partition, error)
                else:
                    self._retries.mark_recovered(partition)
        self._next |= offsets
        self._source.commit(offsets)
        if offsets:
            reach("runner.offsets_committed")

    def _deliver(self, partition: Partition, batch: Sequence[Message]) -> int:
        """Deliver the batch, and return the offset after it."""
        items: list[Item] = []
        for item in self._items(partition, batch):
            items.append(item)
            # Cut only after a record: if its message is read again, the run_seq rule drops the record.
            if len(items) >= _MAX_ITEMS and isinstance(item, Record):
                self._hand_over(partition, items, item.offset)
                items = []
        next_offset = batch[-1].offset + 1
        self._hand_over(partition, items, next_offset)
        return next_offset

    def _items(self, partition: Partition, batch: Sequence[Message]) -> Iterator[Item]:
        """Yield what the run_seq rule makes of the batch: records to apply, and dead letters."""
        sequencer = Sequencer(self._sink.progress(partition), self._gaps)
        for message in batch:
            try:
                outcomes = sequencer.admit(raw_event(message.value or b"", message.key or b""))
            except InvalidEnvelope as error:
                yield self._dead_letter(message, error.what)
                continue
            for outcome in outcomes:
                item = self._item(message, outcome)
                if item is not None:
                    yield item

    def _item(self, message: Message, outcome: Outcome) -> Item | None:
        if isinstance(outcome, Drop):
            self.health.duplicates += 1
            return None
        if isinstance(outcome, Fork | Unfilled):
            self.health.forks += isinstance(outcome, Fork)
            return self._dead_letter(message, reason_of(outcome))
        return Record(message.offset, outcome.event)

    def _hand_over(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        self._sink.deliver(partition, items, next_offset)
        dead_letters = sum(isinstance(item, DeadLetter) for item in items)
        self.health.dead_letters += dead_letters
        self.health.applied += len(items) - dead_letters
        self.health.mark_delivery()

    def _dead_letter(self, message: Message, reason: str) -> DeadLetter:
        logger.error(
            "dead letter",
            sink=self._sink.name,
            partition=str(message.partition),
            offset=message.offset,
            reason=reason,
        )
        return DeadLetter(message.offset, reason, message.key, message.value)

    def _update_health(self) -> None:
        for partition in self._retries.unproven:
            # A quiet partition may deliver nothing for days. With no message left it has recovered.
            if self._source.lag(partition, self._next.get(partition, 0)) == 0:
                self._retries.mark_recovered(partition)
        if self._assigned_once and self._retries.are_none and self.health.state != "green":
            self.health.mark_healthy()
        self.health.lag = {str(p): self._source.lag(p, offset) for p, offset in self._next.items()}
        self._report(self.health)


def reason_of(outcome: Fork | Unfilled) -> str:
    """Return why the event cannot be applied, as text for an operator."""
    event = outcome.event
    if isinstance(outcome, Fork):
        return (
            f"fork: run_seq {event.run_seq} of {event.run} is event {outcome.applied}; "
            f"event {event.event_id} has the same run_seq"
        )
    return (
        f"gap: run_seq {event.run_seq} of {event.run} arrived, "
        f"but {outcome.first} to {outcome.last} are neither in Kafka nor in Postgres"
    )


_partition = attrgetter("partition")
_by_partition = attrgetter("partition.number")
