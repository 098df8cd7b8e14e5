"""The relay's retries: one policy for each server. A policy pauses on `stop`, and ends when it is set."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from tenacity import RetryCallState, Retrying

from postil.runtime.retry import until_stopped

logger: Any = structlog.get_logger("postil.relay")


def postgres_unreachable(stop: threading.Event) -> Retrying:
    """Retries until Postgres can be reached: it may start, restart or fail over. Pauses are at most 2 seconds."""
    return _until_reached("postgres", stop, longest_pause=2.0)


def kafka_unreachable(stop: threading.Event) -> Retrying:
    """Retries until a broker can be reached. Pauses are at most 1 second. Once connected, librdkafka reconnects itself."""
    return _until_reached("kafka", stop, longest_pause=1.0)


def _until_reached(part: str, stop: threading.Event, *, longest_pause: float) -> Retrying:
    def log_first(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            logger.warning("waiting", part=part, why=str(state.outcome.exception()).splitlines()[0])

    return until_stopped(stop, longest_pause=longest_pause, before_pause=log_first)
