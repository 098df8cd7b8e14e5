"""The relay is healthy if it makes progress."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postil.model.limits import LANES
from postil_relay.status import Status

HEALTHY = Status(LANES, ["one"], 1, datetime.now(UTC), 0, None, 0)


def test_a_relay_that_publishes_is_healthy() -> None:
    """All lanes are owned, and no event waits for long."""
    assert HEALTHY.healthy
    assert replace(HEALTHY, unpublished=5, oldest_unpublished=datetime.now(UTC)).healthy


@pytest.mark.parametrize(
    "change",
    [
        {"lanes_owned": LANES - 1},
        {"parked_runs": 1},
        {"unpublished": 1, "oldest_unpublished": HEALTHY.moved_at - timedelta(seconds=11)},
    ],
    ids=["a lane without owner", "a parked run", "an event that waits"],
)
def test_a_relay_without_progress_is_not_healthy(change: dict[str, Any]) -> None:
    """A lane without an owner, a parked run, or an event that waits for more than 10 s is reported."""
    assert not replace(HEALTHY, **change).healthy
