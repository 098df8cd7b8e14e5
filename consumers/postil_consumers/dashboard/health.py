"""The state of the pipeline: Postgres, the relay, Kafka, the audit log and the feed, each read separately.

A part that cannot be read reports the reason; the states of the others are still returned.
"""

from __future__ import annotations

import asyncio
from typing import (
    Literal,
    NotRequired,  # pydantic needs this TypedDict before Python 3.12
)

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from postil.errors import ConfigurationError, PostilError
from postil.http.database import Database
from postil.kafka import KafkaUnavailable
from postil.model.records import Pipeline
from postil.model.relay_state import relay_condition
from postil.postgres.reads.pipeline import pipeline
from postil.settings import Settings
from postil_consumers.audit.sink import consumer_group
from postil_consumers.audit.status import AuditLogState, audit_log
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.topic_tail import TopicTail
from postil_consumers.runtime.kafka_client import group_position

MAX_AGE = 1.0
"""Seconds for which one state is returned to all viewers."""
KAFKA_SECONDS = 2.0
"""Longest wait for one response of Kafka."""
AUDIT_BEHIND_MESSAGES = 1_000
"""Lag above which the audit log counts as behind. A smaller lag is normal while messages arrive."""


class PostgresState(TypedDict):
    """Whether Postgres returns rows, and how many events the event log has. `exact` is False if that is an estimate."""

    state: Literal["ok", "down"]
    reason: NotRequired[str]
    advice: NotRequired[str]
    server: NotRequired[str]
    events: NotRequired[int]
    exact: NotRequired[bool]


class RelayState(TypedDict):
    """How far the relay has published. It is ``stopped`` without a lease now, and ``never`` if there was no lease yet."""

    state: Literal["ok", "behind", "stopped", "never", "unknown"]
    reason: NotRequired[str]
    unpublished: NotRequired[int]
    oldest_seconds: NotRequired[float | None]
    owners: NotRequired[tuple[str, ...]]
    lanes: NotRequired[int]
    lanes_leased: NotRequired[int]
    epoch: NotRequired[int]
    checkpoint_seconds: NotRequired[float | None]
    parked: NotRequired[int]


class KafkaState(TypedDict):
    """Whether Kafka can be reached, and how much the topic holds."""

    state: Literal["ok", "waiting", "down", "unknown"]
    reason: NotRequired[str]
    topic: NotRequired[str]
    partitions: NotRequired[int]
    messages: NotRequired[int]


class AuditState(AuditLogState):
    """The audit log and its `lag`: the messages of the topic that it has not committed yet."""

    lag: int | None


class FeedState(TypedDict):
    """The feed of this server: its connection to Kafka, its readers, and how many events it holds for reconnects."""

    state: Literal["live", "connecting", "down"]
    reason: str | None
    received: NotRequired[int]
    readers: int
    at: int
    held: int


class PipelineState(TypedDict):
    """How far every part of the pipeline is."""

    postgres: PostgresState
    relay: RelayState
    kafka: KafkaState
    audit: AuditState
    feed: FeedState


class Health:
    """Reads the state of every part, at most once in `MAX_AGE` seconds for all viewers together."""

    def __init__(self, settings: Settings, database: Database, hub: Hub, tail: TopicTail | None) -> None:
        self._settings = settings
        self._database = database
        self._hub = hub
        self._tail = tail
        self._gathering: asyncio.Task[PipelineState] | None = None
        self._gathered_at = 0.0

    async def now(self) -> PipelineState:
        """Return the state of every part, at most `MAX_AGE` seconds old."""
        loop = asyncio.get_running_loop()
        if self._gathering is None or (self._gathering.done() and loop.time() - self._gathered_at > MAX_AGE):
            self._gathered_at = loop.time()
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(self._gathering)

    async def _gather(self) -> PipelineState:
        (postgres, relay), (kafka, lag), audit = await asyncio.gather(
            self._postgres(),
            asyncio.to_thread(self._kafka),
            asyncio.to_thread(audit_log, self._settings.audit_path),
        )
        if audit["state"] == "ok" and lag is not None and lag > AUDIT_BEHIND_MESSAGES:
            audit["state"] = "behind"
        return {
            "postgres": postgres,
            "relay": relay,
            "kafka": kafka,
            "audit": {**audit, "lag": lag},
            "feed": self._feed(),
        }

    async def _postgres(self) -> tuple[PostgresState, RelayState]:
        try:
            database = await self._database.fetch(pipeline())
        except PostilError as error:
            return (
                {"state": "down", "reason": error.what, "advice": error.advice},
                {"state": "unknown", "reason": "Postgres does not respond"},
            )
        log: PostgresState = {
            "state": "ok",
            "server": database.server,
            "events": database.events,
            "exact": database.events_exact,
        }
        return log, relay_state(database)

    def _kafka(self) -> tuple[KafkaState, int | None]:
        """Return the state of Kafka, and the audit log's lag, or None if it cannot be read."""
        if not self._settings.kafka_bootstrap_servers:
            return {"state": "unknown", "reason": "no Kafka is configured"}, None
        topic = self._settings.kafka_topic
        try:
            client = self._settings.kafka_client()
            position = group_position(client, topic, consumer_group(topic), timeout=KAFKA_SECONDS)
        except KafkaUnavailable as error:
            return {"state": "down", "reason": error.reason}, None
        except ConfigurationError as error:
            return {"state": "down", "reason": error.what}, None
        state = position.topic
        if state.error is not None:
            missing = f"topic {topic} does not exist yet: the relay creates it"
            return {"state": "waiting", "reason": missing if state.is_missing else state.error.str()}, None
        partitions = len(state.partitions)
        return (
            {"state": "ok", "topic": topic, "partitions": partitions, "messages": position.messages},
            position.lag,
        )

    def _feed(self) -> FeedState:
        ring, readers = self._hub.ring, self._hub.readers
        frames = ring.last - ring.first + 1
        if self._tail is None:
            reason = "no Kafka is configured"
            return {"state": "down", "reason": reason, "readers": readers, "at": ring.last, "held": frames}
        status = self._tail.status
        return {
            "state": status.state,
            "reason": status.reason,
            "received": status.received,
            "readers": readers,
            "at": ring.last,
            "held": frames,
        }


def relay_state(pipeline: Pipeline) -> RelayState:
    """Return the relay's state and its figures."""
    return {
        "state": relay_condition(pipeline),
        "unpublished": pipeline.unpublished,
        "oldest_seconds": pipeline.oldest_seconds,
        "owners": pipeline.owners,
        "lanes": pipeline.lanes,
        "lanes_leased": pipeline.lanes_leased,
        "epoch": pipeline.epoch,
        "checkpoint_seconds": pipeline.checkpoint_seconds,
        "parked": pipeline.parked,
    }
