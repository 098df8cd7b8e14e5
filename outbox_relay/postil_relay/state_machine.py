"""The relay's decisions as a pure state machine: reports go in, commands come out; no I/O and no clock of its own.

Invariants, held by tests/properties/relay/test_relay_machine.py:

* Per run, what Kafka accepts first is in the order of run_seq, without a gap.
* A cursor is saved only when every event it passes is acknowledged, or belongs to a parked run that is written down.
* What is in memory is bounded: nothing is fetched beyond `Limits`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from postil_relay.batches import Batch, Batches
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
from postil_relay.run_retries import Comeback, Recovery, Stage

Commands = list[Command]


class Machine:
    """One chain of batches, from the oldest unsettled to the newest fetched."""

    def __init__(self, cursor: Cursor, *, parked: Iterable[bytes] = (), limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.acked = cursor  # everything before it is settled
        self.saved = cursor
        self.tail = cursor  # everything before it is fetched
        self.parked = set(parked)
        self.in_flight = 0
        self.acknowledged = 0  # messages, since the start
        self.paused = False
        self._now = 0.0
        self._batches = Batches()
        self._unsent: deque[Batch] = deque()
        self._recoveries: dict[bytes, Recovery] = {}
        self._trial: Recovery | None = None
        self._last_sent = -1
        self._replay: Comeback | None = None
        self._fetching = False
        self._saving = False
        self._dirty = False
        self._draining = False
        self._saved_at = 0.0
        self._paused_until = 0.0
        self._moved_at = 0.0
        self._stalled_at = 0.0

    # -- reports -----------------------------------------------------------------------------------------------------

    def on_tick(self, now: float) -> Commands:
        """Time has passed: `now` in seconds, of any clock that only goes forward."""
        self._now = now
        if self.paused and now >= self._paused_until:
            self.paused = False
        out = self._watch()
        if self._recoveries and not self.paused:
            out += self._recover()
        out += self._fetch()
        out += self._dispatch()
        out += self._save()
        return out

    def on_rows(self, rows: list[Row], then: Cursor) -> Commands:
        """A `Fetch` is answered: `rows` in the order of the log; once they are settled the chain is at `then`."""
        self._fetching = False
        self.tail = then
        if self.parked:
            # Now, not when they are sent: what is read of an unparked run after this contains them.
            rows = [row for row in rows if row[1] not in self.parked]
        if rows:
            self._append(rows, then)
        elif self._batches:
            self._batches.newest.then = then
        else:
            self.acked = then  # nothing to publish: remembered, but not worth a write
        # The next page is asked for first, so that Postgres works on it while this one is produced.
        return self._fetch() + self._dispatch()

    def on_ack(self, batch: int, count: int) -> Commands:
        """Kafka has `count` more messages of `batch`, durably."""
        found = self._batches.get(batch)
        found.in_flight -= count
        self.in_flight -= count
        self.acknowledged += count
        self._moved_at = self._now
        if self._trial is not None and self._trial.stage is Stage.TRIED_ALONE and not self.in_flight:
            self._acquit(self._trial, found)
        if not found.in_flight:
            return self._settle()
        return []

    def on_nack(self, batch: int, row: Row, verdict: Verdict, reason: str) -> Commands:
        """Kafka refused one message of `batch`."""
        found = self._batches.get(batch)
        found.in_flight -= 1
        self.in_flight -= 1
        self._moved_at = self._now
        key, run_seq = row[1], row[2]
        recovery = self._recoveries.get(key)
        if recovery is None:
            recovery = self._recoveries[key] = Recovery(key, self._last_sent, self._retry_at(1))
        else:
            recovery.attempts += 1
            recovery.retry_at = self._retry_at(recovery.attempts)
        if recovery.stage is Stage.RESENT:
            recovery.stage = Stage.WAITING
            recovery.barrier = self._last_sent
        recovery.held.add((batch, run_seq))
        found.held += 1
        if recovery.stage is not Stage.TRIED_ALONE:
            recovery.refuse(run_seq, verdict, reason)
        else:
            self._trial = None
            recovery.stage = Stage.WAITING
            if verdict is Verdict.REFUSED:
                recovery.stage = Stage.PARKING
                return [Park(key, run_seq, reason)]
        return self._pause(reason) if verdict is Verdict.TOPIC else []

    def on_parked(self, key: bytes) -> Commands:
        """A `Park` is written down: the run's events stay in the log, and the cursor may pass them."""
        self.parked.add(key)
        if self._replay is not None and self._replay.key == key:
            self._replay = None
        self._recoveries.pop(key, None)
        for batch in self._batches:
            kept = [row for row in batch.rows if row[1] != key]
            if len(kept) < len(batch.rows):
                batch.rows = kept
                batch.held = sum(self._is_held(batch, row) for row in kept)
        return self._settle()

    def on_unpark(self, key: bytes, run_seq: int) -> Commands:
        """An operator wants a parked run published from `run_seq` on; one run at a time, so ask again."""
        if key not in self.parked or self._replay is not None or self._draining:
            return []
        self._replay = Comeback(key)
        return [Replay(key, run_seq)]

    def on_replayed(self, key: bytes, rows: list[Row], *, complete: bool) -> Commands:
        """A `Replay` is answered; `complete` where the log had no more of the run when it was read."""
        if self._replay is None or self._replay.key != key:
            return []
        if complete:
            # What a later window brings of the run comes after these; what it brings again is dropped by every reader.
            self._replay.complete = True
            self.parked.discard(key)
        self._replay.waiting = False
        if rows:
            # It moves no cursor: the chain is where it was.
            batch = self._append(rows, self._batches.newest.then if self._batches else self.tail)
            self._replay.batch, self._replay.run_seq = batch.id, rows[-1][2]
        return self._dispatch() + self._come_back()

    def on_saved(self, cursor: Cursor) -> Commands:
        """A `Save` is written down."""
        self.saved = cursor
        self._saving = False
        return []

    def on_fatal(self) -> Commands:
        """The producer is of no more use: everything not settled goes through a new one, in order."""
        self._trial = None
        self.in_flight = 0
        self._moved_at = self._now
        self._recoveries = {k: r for k, r in self._recoveries.items() if r.stage is Stage.PARKING}
        out: Commands = [Replace()]
        self._unsent = deque(self._batches)
        for batch in self._batches:
            batch.sent, batch.in_flight, batch.held = False, 0, 0
        for recovery in self._recoveries.values():
            recovery.held.clear()
        return out + self._dispatch()

    def on_lease_lost(self) -> Commands:
        """Somebody else publishes now: forget everything, save nothing."""
        self._batches.clear()
        self._unsent.clear()
        self._recoveries.clear()
        self._trial = self._replay = None
        self.in_flight = 0
        self._dirty = self._saving = False
        self._draining = True
        return [Replace()]

    def on_drain(self) -> Commands:
        """Send nothing new; what is in flight is still awaited and saved. See `drained`."""
        self._draining = True
        self._unsent.clear()
        return self._save()

    @property
    def drained(self) -> bool:
        """Whether nothing is awaited from Kafka, and all it acknowledged is saved."""
        return self._draining and not (self.in_flight or self._saving or self._dirty)

    @property
    def fetching(self) -> bool:
        """Whether a `Fetch` waits for its answer; if not, memory is full or nothing may be sent."""
        return self._fetching

    @property
    def idle(self) -> bool:
        """Whether nothing is awaited but new events."""
        return not (self._batches or self._saving or self._dirty or self._recoveries)

    # -- decisions ---------------------------------------------------------------------------------------------------

    def _fetch(self) -> Commands:
        full = self._batches.size >= self.limits.bytes or self._batches.rows >= self.limits.rows
        if self._fetching or full or self.paused or self._draining:
            return []
        self._fetching = True
        return [Fetch(self.tail)]

    def _dispatch(self) -> Commands:
        """Send what was fetched, unless sending is stopped; what belongs to a blocked run is kept back."""
        out: Commands = []
        # A suspect is tried with nothing else in flight, so that its refusal says nothing of others.
        while self._unsent and not self.paused and self._trial is None and not self._draining:
            batch = self._unsent.popleft()
            batch.sent = True
            rows = batch.rows
            if self._recoveries or batch.largest > self.limits.large:
                rows = self._sendable(batch)
            if rows:
                out.append(self._send(batch, rows))
        return out + (self._settle() if self._batches and self._batches.oldest.settled else [])

    def _sendable(self, batch: Batch) -> list[Row]:
        rows: list[Row] = []
        for row in batch.rows:
            recovery = self._recoveries.get(row[1])
            if len(row[3]) > self.limits.large:
                recovery = self._suspect(recovery, row, batch.id)
            if recovery is None or not recovery.blocks:
                rows.append(row)
            elif row[2] >= recovery.first:  # if not, it is there twice, after the run was unparked
                recovery.held.add((batch.id, row[2]))
                batch.held += 1
        return rows

    def _suspect(self, recovery: Recovery | None, row: Row, batch: int) -> Recovery:
        """Treat a large row as if it had been refused once: nothing of its run overtakes it."""
        if recovery is None or not recovery.blocks:
            recovery = self._recoveries[row[1]] = Recovery(row[1], batch, self._now)
        recovery.refused[row[2]] = (Verdict.REFUSED, "it is large")
        return recovery

    def _send(self, batch: Batch, rows: list[Row]) -> Send:
        if not self.in_flight:
            self._moved_at = self._now
        self._last_sent = max(self._last_sent, batch.id)
        batch.in_flight += len(rows)
        self.in_flight += len(rows)
        return Send(batch.id, rows)

    def _recover(self) -> Commands:
        """Let blocked runs go on whose messages in flight are resolved and whose backoff is over."""
        quiet = self._batches.quiet_through
        for key in [k for k, r in self._recoveries.items() if r.stage is Stage.RESENT and r.barrier <= quiet]:
            del self._recoveries[key]
        ready = [
            r for r in self._recoveries.values()
            if r.stage is Stage.WAITING and r.barrier <= quiet and self._now >= r.retry_at
        ]  # fmt: skip
        if self._trial is None:
            self._trial = next((r for r in ready if r.suspect), None)
        if self._trial is not None:
            return self._try_alone(self._trial)
        return self._resend({r.key: r for r in ready})

    def _try_alone(self, suspect: Recovery) -> Commands:
        if self.in_flight or suspect.stage is not Stage.WAITING:
            return []
        for batch in self._batches:
            for row in batch.rows:
                if row[1] == suspect.key and row[2] == suspect.first and self._is_held(batch, row):
                    suspect.stage = Stage.TRIED_ALONE
                    suspect.held.discard((batch.id, row[2]))
                    batch.held -= 1
                    return [self._send(batch, [row])]
        raise AssertionError("a refused row stays in its batch until it is settled")

    def _acquit(self, recovery: Recovery, batch: Batch) -> None:
        """The suspect went through alone: its run goes on behind it."""
        self._trial = None
        suspect = recovery.first
        del recovery.refused[suspect]
        recovery.resume_from = suspect + 1
        recovery.stage = Stage.WAITING
        recovery.barrier = batch.id
        recovery.retry_at = self._now
        for other in self._batches:
            for row in other.rows:
                if row[1] == recovery.key and row[2] <= suspect and self._is_held(other, row):
                    recovery.held.discard((other.id, row[2]))
                    other.held -= 1

    def _resend(self, recoveries: dict[bytes, Recovery]) -> Commands:
        if not recoveries:
            return []
        out: Commands = []
        bounds = {key: (recovery.first, recovery.next_suspect) for key, recovery in recoveries.items()}
        for batch in self._batches:
            if not batch.sent:
                break
            again: list[Row] = []
            for row in batch.rows:
                first, end = bounds.get(row[1], (0, 0))
                if first <= row[2] < end:
                    again.append(row)
                    recovery = recoveries[row[1]]
                    recovery.barrier = batch.id
                    if (batch.id, row[2]) in recovery.held:
                        recovery.held.discard((batch.id, row[2]))
                        batch.held -= 1
            if again:
                out.append(self._send(batch, again))
        for recovery in recoveries.values():
            recovery.went_on()
        return out

    def _settle(self) -> Commands:
        """Take settled batches off the front: the chain has moved."""
        while self._batches and self._batches.oldest.settled:
            self.acked = self._batches.pop().then
            self._dirty = True
        return self._come_back() + self._fetch()

    def _come_back(self) -> Commands:
        """Go on with the unparked run once the last page of it is settled."""
        back = self._replay
        if back is None or back.waiting or (self._batches and back.batch >= self._batches.oldest.id):
            return []
        if back.complete:
            self._replay = None
            return [Unpark(back.key)]
        back.waiting = True
        return [Replay(back.key, back.run_seq + 1)]

    def _save(self) -> Commands:
        due = self._draining or self._now - self._saved_at >= self.limits.save_every
        if not self._dirty or self._saving or not due:
            return []
        self._dirty, self._saving, self._saved_at = False, True, self._now
        return [Save(self.acked)]

    def _watch(self) -> Commands:
        """A watchdog of our own: with idempotence, the client's timeout could leave a hole in a run."""
        quiet = self._now - self._moved_at
        if not self.in_flight or quiet < self.limits.stalled_after:
            return []
        if quiet >= self.limits.replaced_after:
            return self.on_fatal()
        if self._now - self._stalled_at < self.limits.stalled_after:
            return []
        self._stalled_at = self._now
        return [Stalled(quiet, self.in_flight)]

    def _pause(self, reason: str) -> Commands:
        self._paused_until = self._now + self.limits.pause
        if self.paused:
            return []
        self.paused = True
        return [Pause(reason, self.limits.pause)]

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _append(self, rows: list[Row], then: Cursor) -> Batch:
        batch = self._batches.append(rows, then)
        self._unsent.append(batch)
        return batch

    def _retry_at(self, attempts: int) -> float:
        return self._now + min(self.limits.pause, self.limits.backoff * 2.0 ** min(attempts - 1, 16))

    def _is_held(self, batch: Batch, row: Row) -> bool:
        recovery = self._recoveries.get(row[1])
        return recovery is not None and (batch.id, row[2]) in recovery.held
