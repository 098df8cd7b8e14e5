"""The retries of all runs whose events were refused: what waits, what is sent again, what is probed. Pure.

A probe sends one event with nothing else in flight, so that a refusal concerns this event and no other.
"""

from __future__ import annotations

from postil_relay.machine.batches import Batch, Batches
from postil_relay.machine.commands import Park
from postil_relay.machine.limits import Limits
from postil_relay.machine.rows import KEY, RUN_SEQ, Row, Verdict
from postil_relay.machine.run_retry import RetryPhase, RunRetry


class RunRetries:
    """Go-back-N for each run: after a refusal, everything from the refused event on is sent again in order."""

    def __init__(self, batches: Batches, limits: Limits) -> None:
        self._batches = batches
        self._limits = limits
        self._retries: dict[bytes, RunRetry] = {}
        self._probe: RunRetry | None = None

    def __bool__(self) -> bool:
        return bool(self._retries)

    @property
    def probing(self) -> bool:
        """Whether a probe is due or in flight. Nothing else may be sent then."""
        return self._probe is not None

    def refuse(
        self, batch: Batch, row: Row, verdict: Verdict, reason: str, *, now: float, last_sent: int
    ) -> Park | None:
        """Record a refused event. Returns a `Park` if it was the probe and was refused permanently."""
        key, run_seq = row[KEY], row[RUN_SEQ]
        retry = self._retries.get(key)
        if retry is None:
            retry = self._retries[key] = RunRetry(key, last_sent, self._retry_at(now, 1))
        else:
            retry.attempts += 1
            retry.retry_at = self._retry_at(now, retry.attempts)
        if retry.phase is RetryPhase.RESENT:
            retry.phase = RetryPhase.WAITING
            retry.barrier = last_sent
        self._hold(retry, batch, run_seq)
        if retry.phase is not RetryPhase.PROBING:
            retry.refuse(run_seq, verdict, reason)
            return None
        self._probe = None
        if verdict is not Verdict.REFUSED:
            retry.phase = RetryPhase.WAITING
            return None
        retry.phase = RetryPhase.PARKING
        return Park(key, run_seq, reason)

    def on_nothing_in_flight(self, batch: Batch, now: float) -> None:
        """The last message in flight, one of `batch`, was accepted. If it was the probe, its run continues."""
        retry = self._probe
        if retry is None or retry.phase is not RetryPhase.PROBING:
            return
        self._probe = None
        probed = retry.clear_probe(batch.id, now)
        for other in self._batches:
            for _, key, run_seq, _, _ in other.rows:
                if key == retry.key and run_seq <= probed:
                    self._release(retry, other, run_seq)

    def sendable(self, batch: Batch, now: float) -> list[Row]:
        """Return the rows of a new batch that may be sent now. The rows of blocked runs wait."""
        rows: list[Row] = []
        for row in batch.rows:
            _, key, run_seq, value, _ = row
            retry = self._retries.get(key)
            if len(value) > self._limits.large:
                retry = self._require_probe(retry, key, run_seq, batch.id, now)
            if retry is None or not retry.blocks:
                rows.append(row)
            elif (
                run_seq >= retry.first
            ):  # an earlier one is a duplicate, read again after the run was unparked
                self._hold(retry, batch, run_seq)
        return rows

    def due(self, now: float, in_flight: int) -> list[tuple[Batch, list[Row]]]:
        """Return what must be sent again now: runs with nothing in flight and whose backoff has passed, or one probe."""
        quiet = self._batches.quiet_through
        for key in [
            r.key for r in self._retries.values() if r.phase is RetryPhase.RESENT and r.barrier <= quiet
        ]:
            del self._retries[key]
        ready = [
            r for r in self._retries.values()
            if r.phase is RetryPhase.WAITING and r.barrier <= quiet and now >= r.retry_at
        ]  # fmt: skip
        if self._probe is None:
            self._probe = next((r for r in ready if r.needs_probe), None)
        if self._probe is not None:
            waits = in_flight or self._probe.phase is not RetryPhase.WAITING
            return [] if waits else [self._begin_probe(self._probe)]
        return self._resend({r.key: r for r in ready})

    def drop_run(self, key: bytes) -> None:
        """The run is parked: remove its rows from every batch."""
        self._retries.pop(key, None)
        for batch in self._batches:
            rows = [row for row in batch.rows if row[KEY] != key]
            if len(rows) < len(batch.rows):
                batch.rows = rows
                batch.held = sum(self._is_held(batch, row) for row in rows)

    def restart(self) -> None:
        """Every row is sent again through a new producer. Only runs that are being parked keep their state."""
        self._probe = None
        self._retries = {key: r for key, r in self._retries.items() if r.phase is RetryPhase.PARKING}
        for retry in self._retries.values():
            retry.held.clear()

    def clear(self) -> None:
        """Forget every retry."""
        self._retries.clear()
        self._probe = None

    def _require_probe(
        self, retry: RunRetry | None, key: bytes, run_seq: int, batch: int, now: float
    ) -> RunRetry:
        """Treat a large event as if it had been refused once, so that nothing of its run overtakes it."""
        if retry is None or not retry.blocks:
            retry = self._retries[key] = RunRetry(key, batch, now)
        retry.refused[run_seq] = (Verdict.REFUSED, "it is large")
        return retry

    def _begin_probe(self, retry: RunRetry) -> tuple[Batch, list[Row]]:
        for batch in self._batches:
            for row in batch.rows:
                if row[KEY] == retry.key and row[RUN_SEQ] == retry.first and self._is_held(batch, row):
                    retry.phase = RetryPhase.PROBING
                    self._release(retry, batch, retry.first)
                    return batch, [row]
        raise AssertionError("a refused row stays in its batch until it is settled")

    def _resend(self, ready: dict[bytes, RunRetry]) -> list[tuple[Batch, list[Row]]]:
        if not ready:
            return []
        sends: list[tuple[Batch, list[Row]]] = []
        bounds = {key: (retry.first, retry.next_probe) for key, retry in ready.items()}
        for batch in self._batches:
            if not batch.sent:
                break
            rows: list[Row] = []
            for row in batch.rows:
                _, key, run_seq, _, _ = row
                first, end = bounds.get(key, (0, 0))
                if first <= run_seq < end:
                    rows.append(row)
                    ready[key].barrier = batch.id
                    self._release(ready[key], batch, run_seq)
            if rows:
                sends.append((batch, rows))
        for retry in ready.values():
            retry.on_resent()
        return sends

    def _hold(self, retry: RunRetry, batch: Batch, run_seq: int) -> None:
        retry.held.add((batch.id, run_seq))
        batch.held += 1

    def _release(self, retry: RunRetry, batch: Batch, run_seq: int) -> None:
        if (batch.id, run_seq) in retry.held:
            retry.held.discard((batch.id, run_seq))
            batch.held -= 1

    def _is_held(self, batch: Batch, row: Row) -> bool:
        retry = self._retries.get(row[KEY])
        return retry is not None and (batch.id, row[RUN_SEQ]) in retry.held

    def _retry_at(self, now: float, attempts: int) -> float:
        return now + min(self._limits.pause, self._limits.backoff * 2.0 ** min(attempts - 1, 16))
