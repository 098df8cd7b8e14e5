"""Whether the pipeline is healthy: Postgres, the relay, Kafka, the audit log and the feed, each asked alone.

A part that cannot be asked says why; the others still answer.
"""

from __future__ import annotations

import asyncio
from typing import (
    Literal,
    NotRequired,  # pydantic needs this TypedDict before Python 3.12
)

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from typing_extensions import TypedDict

from postil.errors import PostilError
from postil.http.database import Database
from postil.model.records import Pipeline
from postil.postgres.reads.pipeline import pipeline
from postil.settings import Settings
from postil_consumers.audit.sink import consumer_group
from postil_consumers.audit.status import AuditLogState, audit_log
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.tap import Tap

FRESH = 1.0
"""Seconds an answer is shared by all viewers."""
BEHIND_SECONDS = 5.0
"""Age of the oldest unpublished event from which the relay counts as behind."""
BEHIND_EVENTS = 1_000
"""Messages from which the audit log counts as behind; fewer are on their way."""


class PostgresState(TypedDict):
    """Whether Postgres returns rows, and how long the event log is; `exact` is False for an estimate."""

    state: Literal["ok", "down"]
    reason: NotRequired[str]
    advice: NotRequired[str]
    server: NotRequired[str]
    events: NotRequired[int]
    exact: NotRequired[bool]


class RelayState(TypedDict):
    """How far the relay has published: ``stopped`` if no lease is held now, ``never`` if none ever was."""

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
    """The feed of this server: its line to Kafka, its readers, and how many events it holds for reconnects."""

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
    """Gathers the state of every part, at most once a second however many look."""

    def __init__(self, settings: Settings, database: Database, hub: Hub, tap: Tap | None) -> None:
        self._settings = settings
        self._database = database
        self._hub = hub
        self._tap = tap
        self._gathering: asyncio.Task[PipelineState] | None = None
        self._gathered_at = 0.0

    async def now(self) -> PipelineState:
        """The state of every part, at most `FRESH` seconds old."""
        loop = asyncio.get_running_loop()
        if self._gathering is None or (self._gathering.done() and loop.time() - self._gathered_at > FRESH):
            self._gathered_at = loop.time()
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(self._gathering)

    async def _gather(self) -> PipelineState:
        (postgres, relay), (kafka, lag), audit = await asyncio.gather(
            self._postgres(),
            asyncio.to_thread(self._kafka),
            asyncio.to_thread(audit_log, self._settings.audit_path),
        )
        if audit["state"] == "ok" and lag is not None and lag > BEHIND_EVENTS:
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
            found = await self._database.ask(pipeline())
        except PostilError as error:
            return (
                {"state": "down", "reason": error.what, "advice": error.advice},
                {"state": "unknown", "reason": "Postgres does not answer"},
            )
        log: PostgresState = {
            "state": "ok",
            "server": found.server,
            "events": found.events,
            "exact": found.events_exact,
        }
        return log, relay_state(found)

    def _kafka(self) -> tuple[KafkaState, int | None]:
        """Return the state of Kafka, and the audit log's lag where it can be read."""
        if not self._settings.kafka_bootstrap_servers:
            return {"state": "unknown", "reason": "no Kafka is configured"}, None
        topic = self._settings.kafka_topic
        group = consumer_group(topic)
        try:
            consumer = Consumer({**self._settings.kafka_client(), "group.id": group, "log_level": 0})
        except KafkaException as error:
            return {"state": "down", "reason": str(error)}, None
        try:
            found = consumer.list_topics(topic, timeout=2).topics[topic]
            if found.error is not None:
                reason = f"topic {topic} does not exist yet: the relay creates it"
                return {"state": "waiting", "reason": reason}, None
            parts = [TopicPartition(topic, number) for number in found.partitions]
            bounds = {p.partition: consumer.get_watermark_offsets(p, timeout=2) for p in parts}
            committed = consumer.committed(parts, timeout=2)
            places = {p.partition: p.offset for p in committed}
            messages = sum(high - low for low, high in bounds.values())
            lag = sum(high - max(low, places[n]) for n, (low, high) in bounds.items())
            return {"state": "ok", "topic": topic, "partitions": len(parts), "messages": messages}, lag
        except KafkaException as error:
            cause = error.args[0]
            reason = cause.str() if isinstance(cause, KafkaError) else str(error)
            return {"state": "down", "reason": reason}, None
        finally:
            consumer.close()

    def _feed(self) -> FeedState:
        ring, readers = self._hub.ring, self._hub.readers
        held = ring.last - ring.first + 1
        if self._tap is None:
            reason = "no Kafka is configured"
            return {"state": "down", "reason": reason, "readers": readers, "at": ring.last, "held": held}
        status = self._tap.status
        return {
            "state": status.state,
            "reason": status.reason,
            "received": status.received,
            "readers": readers,
            "at": ring.last,
            "held": held,
        }


def relay_state(found: Pipeline) -> RelayState:
    """What the relay's cursors mean: ``ok``, ``behind``, ``stopped`` (no lease is held) or ``never`` (none was)."""
    state: Literal["ok", "behind", "stopped", "never"]
    if found.lanes_leased == 0:
        state = "never" if found.epoch == 0 else "stopped"
    elif found.oldest_seconds is not None and found.oldest_seconds > BEHIND_SECONDS:
        state = "behind"
    else:
        state = "ok"
    return {
        "state": state,
        "unpublished": found.unpublished,
        "oldest_seconds": found.oldest_seconds,
        "owners": found.owners,
        "lanes": found.lanes,
        "lanes_leased": found.lanes_leased,
        "epoch": found.epoch,
        "checkpoint_seconds": found.checkpoint_seconds,
        "parked": found.parked,
    }
