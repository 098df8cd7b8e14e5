"""Parked runs, and the replay of one that an operator unparked. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from postil_relay.machine.commands import Commands, Replay, Unpark


class RunReplay:
    """Publishes one unparked run again, page by page from the event log.

    The next page is read when the last one is settled. Until the last page is read the run counts as parked.
    """

    def __init__(self, parked: Iterable[bytes]) -> None:
        self.parked = set(parked)
        self._key: bytes | None = None
        self._batch = -1  # of the last page
        self._run_seq = 0  # the last one of that page
        self._reading = False
        self._complete = False

    @property
    def active(self) -> bool:
        """Whether a run is being replayed."""
        return self._key is not None

    def park(self, key: bytes) -> None:
        """The run is parked, perhaps again during its replay."""
        self.parked.add(key)
        if self._key == key:
            self._key = None

    def start(self, key: bytes, run_seq: int) -> Commands:
        """Begin to replay a parked run. Another replay must not be active."""
        self._key, self._batch, self._run_seq = key, -1, 0
        self._reading, self._complete = True, False
        return [Replay(key, run_seq)]

    def expects(self, key: bytes) -> bool:
        """Whether a page of this run belongs to the current replay."""
        return self._key == key

    def on_page_read(self, *, complete: bool) -> None:
        """A page is read. After the last page the run stops being parked."""
        if complete and self._key is not None:
            # Later windows bring the events that follow. What they bring again, each reader drops by run_seq.
            self._complete = True
            self.parked.discard(self._key)
        self._reading = False

    def on_page_queued(self, batch: int, run_seq: int) -> None:
        """The page that was read is `batch`, and ends with `run_seq`."""
        self._batch, self._run_seq = batch, run_seq

    def advance(self, oldest_batch: int | None) -> Commands:
        """Return the next step once the last page is settled. `oldest_batch` is None if every batch is settled."""
        unsettled = oldest_batch is not None and self._batch >= oldest_batch
        if self._key is None or self._reading or unsettled:
            return []
        key = self._key
        if self._complete:
            self._key = None
            return [Unpark(key)]
        self._reading = True
        return [Replay(key, self._run_seq + 1)]

    def forget(self) -> None:
        """End the replay: the lease is lost. The next owner begins it again."""
        self._key = None
