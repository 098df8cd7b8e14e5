"""The relay's state follows from its leases and the oldest unpublished event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postil.model.records import Pipeline
from postil.model.relay_state import BEHIND_SECONDS, relay_condition

RUNNING = Pipeline(
    server="17", events=1, events_exact=True, last_position=1, unpublished=0, oldest_seconds=None, lanes=64,
    lanes_leased=64, owners=("a",), epoch=1, checkpoint_seconds=0.1, parked=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({}, "ok"),
        ({"oldest_seconds": BEHIND_SECONDS}, "ok"),
        ({"oldest_seconds": BEHIND_SECONDS + 0.1}, "behind"),
        ({"lanes_leased": 0}, "stopped"),
        ({"lanes_leased": 0, "oldest_seconds": 99.0}, "stopped"),
        ({"lanes_leased": 0, "epoch": 0}, "never"),
    ],
)
def test_relay_condition(changes: dict[str, float], condition: str) -> None:
    """Without leases the relay is stopped, or never ran; with leases it is behind beyond the threshold only."""
    assert relay_condition(replace(RUNNING, **changes)) == condition
