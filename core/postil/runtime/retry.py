"""Retries that stop when an event is set: one policy for each kind of failure that several programs meet."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tenacity import RetryCallState, Retrying
from tenacity.nap import sleep_using_event
from tenacity.retry import retry_if_exception_type
from tenacity.stop import stop_after_delay, stop_any, stop_when_event_set
from tenacity.wait import wait_random_exponential

from postil.errors import PostilError, Unavailable

FIRST_PAUSE = 0.1
"""Longest pause before the first retry, in seconds. It doubles with each retry, and the pause itself is random."""


def until_stopped(
    stop: threading.Event,
    *,
    longest_pause: float,
    before_pause: Callable[[RetryCallState], None],
    retry_on: tuple[type[PostilError], ...] = (Unavailable,),
    patience: float | None = None,
) -> Retrying:
    """Return a policy that retries until the call succeeds, `stop` is set, or `patience` seconds passed.

    `longest_pause` is in seconds. `patience` defaults to None: no limit. The policy raises the last error itself.
    """
    stopped = stop_when_event_set(stop)
    return Retrying(
        retry=retry_if_exception_type(retry_on),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=longest_pause),
        stop=stopped if patience is None else stop_any(stop_after_delay(patience), stopped),
        sleep=sleep_using_event(stop),
        before_sleep=before_pause,
        reraise=True,
    )
