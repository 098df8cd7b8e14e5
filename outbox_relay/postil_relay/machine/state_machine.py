"""The relay's decisions as a pure state machine: reports go in, commands come out; no I/O and no clock.

Invariants, held by tests/properties/relay/:

* Per run, the events that Kafka accepts first are in the order of run_seq, without a gap.
* A cursor is saved only when every event it passes is acknowledged, or belongs to a parked run that is recorded.
* Memory is bounded: nothing is fetched beyond `Limits`.

A batch passes three states:

* fetched: in memory and not sent. Sending waits while the machine is paused, probes or drains.
* sent: its rows are in flight, or held because an event of their run was refused.
* settled: nothing of it is in flight or held. When all older batches are settled, it leaves memory and the cursor moves.

A run is in one of these states. All runs are normal at first:

* normal: its rows are sent as they are fetched.
* waiting: an event was refused. New rows are held until its messages in flight are resolved and the backoff has passed.
* probing: an event was refused permanently, or is large. It is sent while nothing else is in flight.
* resent: every row from the refused one on was sent again. New rows follow. When they are acknowledged: normal.
* parking: the probe was refused permanently. The database records that the run is parked.
* parked: its rows are not published, and the cursor passes them. Other runs continue.
* replayed: an operator unparked it. Its rows are read from the event log again, page by page, then it is normal.

The whole machine is running, paused (Kafka refuses the topic: nothing is sent or fetched until the pause ends),
or draining (nothing new is sent or fetched). docs/concepts/relay-states.md draws these states.

Each part of the state has one owner, and the machine combines the commands of the owners.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from postil_relay.machine import reports
from postil_relay.machine.batches import Batch, Batches
from postil_relay.machine.checkpoints import Checkpoints
from postil_relay.machine.commands import Commands, Fetch, Pause, Replace, Send
from postil_relay.machine.limits import Limits
from postil_relay.machine.rows import KEY, RUN_SEQ, Cursor, Row, Verdict
from postil_relay.machine.run_replay import RunReplay
from postil_relay.machine.run_retries import RunRetries
from postil_relay.machine.watchdog import Watchdog


class Machine:
    """Conducts the batches of one cursor, from the newest fetched to the oldest unsettled."""

    def __init__(self, cursor: Cursor, *, parked: Iterable[bytes] = (), limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.tail = cursor  # everything before it is fetched
        self.in_flight = 0  # messages that were sent and not reported on
        self.acknowledged = 0  # messages since the start
        self.paused = False
        self.fetching = False
        """Whether a `Fetch` has no report yet. If not, memory is full or nothing may be sent."""
        self.checkpoints = Checkpoints(cursor, self.limits.save_every)
        self._batches = Batches()
        self._unsent: deque[Batch] = deque()
        self._retries = RunRetries(self._batches, self.limits)
        self._replay = RunReplay(parked)
        self._watchdog = Watchdog(self.limits)
        self._now = 0.0
        self._paused_until = 0.0
        self._last_sent = -1
        self._draining = False

    @property
    def parked(self) -> set[bytes]:
        """Kafka keys of the runs that are not published."""
        return self._replay.parked

    @property
    def drained(self) -> bool:
        """Whether the machine drains, nothing is in flight, and all that Kafka acknowledged is saved."""
        return self._draining and not (self.in_flight or self.checkpoints.pending)

    @property
    def idle(self) -> bool:
        """Whether the machine waits for new events only."""
        return not (self._batches or self.checkpoints.pending or self._retries)

    def handle(self, report: reports.Report) -> Commands:
        """Take one report, and return the commands that follow from it, to be carried out in this order."""
        match report:
            case reports.Acknowledged():
                return self._on_acknowledged(report.batch, report.messages)
            case reports.Ticked(now):
                return self._on_tick(now)
            case reports.RowsFetched(rows, then):
                return self._on_rows(rows, then)
            case reports.Saved(cursor):
                self.checkpoints.on_saved(cursor)
                return []
            case reports.Refused():
                return self._on_refused(report)
            case reports.Parked(key):
                self._replay.park(key)
                self._retries.drop_run(key)
                return self._settle()
            case reports.UnparkRequested(key, run_seq):
                return self._on_unpark(key, run_seq)
            case reports.Replayed():
                return self._on_replayed(report)
            case reports.ProducerFailed():
                return self._on_producer_failed()
            case reports.LeaseEnded():
                return self._on_lease_ended()
            case reports.DrainRequested():
                self._draining = True
                self._unsent.clear()
                return self.checkpoints.save(self._now, at_once=True)

    def _on_tick(self, now: float) -> Commands:
        self._now = now
        if self.paused and now >= self._paused_until:
            self.paused = False
        commands = self._watch()
        if self._retries and not self.paused:
            commands += [self._send(batch, rows) for batch, rows in self._retries.due(now, self.in_flight)]
        commands += self._fetch() + self._dispatch()
        return commands + self.checkpoints.save(now, at_once=self._draining)

    def _on_rows(self, rows: list[Row], then: Cursor) -> Commands:
        self.fetching = False
        self.tail = then
        if self.parked:
            # Filtered now and not when they are sent: a page of an unparked run that is read later contains them.
            rows = [row for row in rows if row[KEY] not in self.parked]
        if rows:
            self._append(rows, then)
        elif self._batches:
            self._batches.newest.then = then
        else:
            self.checkpoints.skip(then)
        # The fetch comes first, so that Postgres reads the next page while this one is sent.
        return self._fetch() + self._dispatch()

    def _on_acknowledged(self, batch_id: int, count: int) -> Commands:
        batch = self._batches.get(batch_id)
        batch.in_flight -= count
        self.in_flight -= count
        self.acknowledged += count
        self._watchdog.moved(self._now)
        if not self.in_flight:
            self._retries.on_nothing_in_flight(batch, self._now)
        return [] if batch.in_flight else self._settle()

    def _on_refused(self, report: reports.Refused) -> Commands:
        batch = self._batches.get(report.batch)
        batch.in_flight -= 1
        self.in_flight -= 1
        self._watchdog.moved(self._now)
        park = self._retries.refuse(
            batch, report.row, report.verdict, report.reason, now=self._now, last_sent=self._last_sent
        )
        if park is not None:
            return [park]
        return self._pause(report.reason) if report.verdict is Verdict.TOPIC else []

    def _on_unpark(self, key: bytes, run_seq: int) -> Commands:
        if key not in self.parked or self._replay.active or self._draining:
            return []
        return self._replay.start(key, run_seq)

    def _on_replayed(self, report: reports.Replayed) -> Commands:
        if not self._replay.expects(report.key):
            return []
        self._replay.on_page_read(complete=report.complete)
        if report.rows:
            # These rows move no cursor: they are behind it already.
            batch = self._append(report.rows, self._batches.newest.then if self._batches else self.tail)
            self._replay.on_page_queued(batch.id, report.rows[-1][RUN_SEQ])
        return self._dispatch() + self._replay.advance(self._batches.oldest_id)

    def _on_producer_failed(self) -> Commands:
        """Everything that is not settled goes through a new producer, in order."""
        self.in_flight = 0
        self._watchdog.moved(self._now)
        self._retries.restart()
        self._unsent = deque(self._batches)
        for batch in self._batches:
            batch.sent, batch.in_flight, batch.held = False, 0, 0
        return [Replace(), *self._dispatch()]

    def _on_lease_ended(self) -> Commands:
        """Another relay publishes now: forget everything and save nothing."""
        self._batches.clear()
        self._unsent.clear()
        self._retries.clear()
        self._replay.forget()
        self.checkpoints.forget()
        self.in_flight = 0
        self._draining = True
        return [Replace()]

    def _fetch(self) -> Commands:
        full = self._batches.size >= self.limits.bytes or self._batches.rows >= self.limits.rows
        if self.fetching or full or self.paused or self._draining:
            return []
        self.fetching = True
        return [Fetch(self.tail)]

    def _dispatch(self) -> Commands:
        """Send the batches that are fetched, unless sending is stopped. The rows of blocked runs are held."""
        commands: Commands = []
        while self._unsent and not (self.paused or self._retries.probing or self._draining):
            batch = self._unsent.popleft()
            batch.sent = True
            rows = batch.rows
            if self._retries or batch.largest > self.limits.large:
                rows = self._retries.sendable(batch, self._now)
            if rows:
                commands.append(self._send(batch, rows))
        return commands + (self._settle() if self._batches and self._batches.oldest.settled else [])

    def _send(self, batch: Batch, rows: list[Row]) -> Send:
        if not self.in_flight:
            self._watchdog.moved(self._now)
        self._last_sent = max(self._last_sent, batch.id)
        batch.in_flight += len(rows)
        self.in_flight += len(rows)
        return Send(batch.id, rows)

    def _settle(self) -> Commands:
        """Remove the settled batches from the front: the cursor moves."""
        while self._batches and self._batches.oldest.settled:
            self.checkpoints.advance(self._batches.pop().then)
        return self._replay.advance(self._batches.oldest_id) + self._fetch()

    def _watch(self) -> Commands:
        if not self.in_flight:
            return []
        if self._watchdog.must_replace(self._now):
            return self._on_producer_failed()
        return self._watchdog.warn(self._now, self.in_flight)

    def _pause(self, reason: str) -> Commands:
        self._paused_until = self._now + self.limits.pause
        if self.paused:
            return []
        self.paused = True
        return [Pause(reason, self.limits.pause)]

    def _append(self, rows: list[Row], then: Cursor) -> Batch:
        batch = self._batches.append(rows, then)
        self._unsent.append(batch)
        return batch
