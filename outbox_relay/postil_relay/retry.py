"""How long to be patient, by family of failure; each policy sleeps on `stop` and gives up when it is set."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from tenacity import RetryCallState, Retrying
from tenacity.nap import sleep_using_event
from tenacity.retry import retry_if_exception_type
from tenacity.stop import stop_when_event_set
from tenacity.wait import wait_random_exponential

from postil.errors import Unavailable

log: Any = structlog.get_logger("postil.relay")


def postgres_unreachable(stop: threading.Event) -> Retrying:
    """A server that starts, restarts or fails over: soon again, at most 2 s apart, for ever."""
    return _for_ever("postgres", stop, most=2.0)


def kafka_unreachable(stop: threading.Event) -> Retrying:
    """A broker that starts: soon again, at most 1 s apart, for ever. Once connected, librdkafka does this itself."""
    return _for_ever("kafka", stop, most=1.0)


def _for_ever(part: str, stop: threading.Event, *, most: float) -> Retrying:
    def say_once(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            log.warning("waiting", part=part, why=str(state.outcome.exception()).splitlines()[0])

    return Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.1, max=most),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=say_once,
        reraise=True,
    )
