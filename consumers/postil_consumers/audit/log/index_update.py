"""Brings the run index up to date with the log: after a crash, and after the index was lost or replaced."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import structlog

from postil.model.envelope import InvalidEnvelope, raw_event
from postil_consumers.audit.log.failures import damaged
from postil_consumers.audit.log.layout import MANIFEST, segment_name, whole_lines
from postil_consumers.audit.log.records import is_dead_letter
from postil_consumers.audit.log.run_index import RunIndex
from postil_consumers.audit.log.state import State

_STEP = 10_000
"""Records that are applied in one transaction of the index."""

logger = structlog.get_logger("postil.audit")


def update_index(index: RunIndex, directory: Path, state: State) -> None:
    """Apply the records that the index lacks. Builds it anew if it does not belong to the log in `directory`.

    Raises `AuditLogDamaged` if the segments do not hold what the manifest states.
    """
    if index.covered == (state.size, state.root):
        return
    if not state.index_matches or index.covered[0] > state.size:
        logger.warning("the run index is not this log's; building it anew", log=str(directory))
        index.clear()
    if state.size - index.covered[0] > _STEP:
        logger.info("reading the log to build its run index", log=str(directory), records=state.size)
    size = index.covered[0]
    records = _records_from(directory, state, size)
    while size < state.size:
        step = list(islice(records, _STEP))
        try:
            events = [raw_event(line) for line in step if not is_dead_letter(line)]
        except InvalidEnvelope as error:
            raise damaged(
                directory / MANIFEST,
                f"after record {size} there is one that is not an event: {error.what}.",
            ) from None
        if not step:
            raise damaged(directory / MANIFEST, f"it has {state.size:,} records, the segments {size:,}.")
        size += len(step)
        # Before the last step, no commit has this size: the empty root makes a crash here begin again.
        root = state.root if size == state.size else ""
        index.apply(events, size, root)


def _records_from(directory: Path, state: State, size: int) -> Iterator[bytes]:
    """Yield the log's records from the number `size` on."""
    per_segment = state.settings.segment_records
    first = size - size % per_segment
    while first < state.size:
        path = directory / segment_name(first)
        if not path.exists():
            raise damaged(directory / MANIFEST, f"its segment {path.name} is missing.")
        for number, (_, line) in enumerate(whole_lines(path), first):
            if number >= size:
                yield line
        first += per_segment
