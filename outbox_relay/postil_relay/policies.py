"""The relay's retries: one policy for each server. A policy pauses on `stop`, and ends when it is set."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from tenacity import RetryCallState, Retrying

from postil.errors import PostilError, Retryable, SchemaOutdated, Unavailable, WriteRefused
from postil.runtime.retry import until_stopped
from postil_relay.errors import LeaseLost

logger: Any = structlog.get_logger("postil.relay")


REPAIRABLE = (Unavailable, Retryable, SchemaOutdated, WriteRefused, LeaseLost)
"""Errors of Postgres that the relay waits out: a restart, a failover, a migration, a missing right, another owner."""

LONGEST_PAUSE = 2.0
"""Longest pause between two terms, in seconds."""


def postgres_unusable(stop: threading.Event) -> Retrying:
    """Retries until Postgres can be used: it may start, restart, fail over, or need a migration or a right."""
    return _until_reached("postgres", stop, longest_pause=LONGEST_PAUSE, retry_on=REPAIRABLE)


def kafka_unreachable(stop: threading.Event) -> Retrying:
    """Retries until a broker can be reached. Pauses are at most 1 second. Once connected, librdkafka reconnects itself."""
    return _until_reached("kafka", stop, longest_pause=1.0)


def _until_reached(
    part: str,
    stop: threading.Event,
    *,
    longest_pause: float,
    retry_on: tuple[type[PostilError], ...] = (Unavailable,),
) -> Retrying:
    def log_first(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            logger.warning("waiting", part=part, why=str(state.outcome.exception()).splitlines()[0])

    return until_stopped(stop, longest_pause=longest_pause, before_pause=log_first, retry_on=retry_on)
